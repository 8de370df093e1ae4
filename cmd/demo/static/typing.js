const every = 2000; // ms between two mentions
const lasts = 3500; // ms that a mention is true

// Typing shows who is writing something just now, and mentions that the user is.
export class Typing {
  #line = document.getElementById("typing");
  #timers = new Map(); // by name
  #mentioned = 0;

  clear() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#show();
  }

  // mention calls tell, unless it did so just now.
  mention(tell) {
    if (Date.now() - this.#mentioned < every) return;
    this.#mentioned = Date.now();
    tell();
  }

  // sent is when the user has sent what was typed: what comes next is news.
  sent() { this.#mentioned = 0; }

  types(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(() => this.stops(name), lasts));
    this.#show();
  }

  // stops is also when the user has said something, or left.
  stops(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    this.#show();
  }

  #show() {
    const names = [...this.#timers.keys()];
    const others = names.length - 1;
    if (names.length === 0) this.#line.textContent = "";
    else if (others === 0) this.#line.textContent = `${names[0]} is typing…`;
    else if (others === 1) this.#line.textContent = `${names[0]} and ${names[1]} are typing…`;
    else this.#line.textContent = `${names[0]} and ${others} others are typing…`;
  }
}
