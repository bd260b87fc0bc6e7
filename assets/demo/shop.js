// The shop's own script: its buttons open the assistant and ask for the visitor. It shows the two
// things a host page needs for that: the stub, so that a click before the widget has loaded is kept,
// and the calls.
window.Banter =
  window.Banter ||
  function () {
    (Banter.q = Banter.q || []).push(arguments);
  };

for (const button of document.querySelectorAll("[data-ask]")) {
  button.addEventListener("click", () => {
    Banter("open");
    Banter("send", button.dataset.ask);
  });
  // Without scripts there is no assistant, and then no button for it either.
  button.hidden = button.parentElement.hidden = false;
}
