import { timeElement } from "./format.js";

// Clock shows when the schedule last ran and when it is due again.
export class Clock {
  #tick = document.getElementById("tick");
  #next = document.getElementById("next-tick");
  #bar = document.getElementById("minute");
  #last = null; // Date of the last tick

  constructor() {
    setInterval(() => this.#show(), 1000);
  }

  clear() {
    this.#last = null;
    this.#tick.textContent = "No tick yet.";
    this.#show();
  }

  // ticked takes when a tick was due, or null when there was none.
  ticked(at) {
    if (!at || (this.#last && new Date(at) <= this.#last)) return;
    this.#last = new Date(at);
    this.#tick.replaceChildren("Last tick ", timeElement(at, { seconds: true }));
    this.#show();
  }

  #show() {
    const second = new Date().getSeconds();
    this.#bar.value = second;
    this.#next.textContent = `Next in ${60 - second} s`;
  }
}
