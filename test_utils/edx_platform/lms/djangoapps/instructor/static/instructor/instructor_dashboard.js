// Shows one section at a time: the one that the address names (#view-<section>), or the first.
(function () {
  "use strict";
  var buttons = Array.prototype.slice.call(document.querySelectorAll(".instructor-nav .btn-link"));

  function show(button) {
    document.querySelectorAll(".active-section").forEach(function (element) {
      element.classList.remove("active-section");
    });
    button.classList.add("active-section");
    document.getElementById(button.dataset.section).classList.add("active-section");
    window.location.hash = "view-" + button.dataset.section;
  }

  buttons.forEach(function (button) {
    button.addEventListener("click", function () { show(button); });
  });
  var wanted = window.location.hash.replace("#view-", "");
  show(buttons.find(function (button) { return button.dataset.section === wanted; }) || buttons[0]);
}());
