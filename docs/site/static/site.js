// Code that scrolls can be scrolled by keyboard, and a caption of the contents has its level.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  for (const code of document.querySelectorAll("pre, .table-wrapper")) code.tabIndex = 0;
  for (const link of document.querySelectorAll(".sphx-glr-thumbcontainer a")) link.setAttribute("aria-label", link.textContent);
  for (const caption of document.querySelectorAll("p.caption[role=heading]")) caption.setAttribute("aria-level", "2");
});
