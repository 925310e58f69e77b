"""Evolution strategies: objectives whose gradient nobody can write down, e.g. what an agent earns."""

from npintdim.es.episodes import Episodes, Statistics
from npintdim.es.strategy import EvolutionStrategy, spread

__all__ = ["Episodes", "EvolutionStrategy", "Statistics", "spread"]
