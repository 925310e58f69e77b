"""What Sphinx has not: formulas set at build, source files as pages, two columns, commands, the explorables' numbers."""
