import { element } from "./format.js";

// Pending shows the user's own lines that the room does not have yet: those on
// their way, those that wait for a connection, and those that were refused.
export class Pending {
  #list = document.getElementById("pending");
  #items = new Map(); // ref -> {item, note, refused}
  #online = false;

  clear() {
    this.#items.clear();
    this.#list.replaceChildren();
  }

  add(ref, text) {
    const line = { item: element("li", "mine"), note: element("p", "note"), refused: false };
    line.item.append(element("p", "text", text), line.note);
    this.#items.set(ref, line);
    this.#list.append(line.item);
    this.#show(line);
  }

  // connected says whether there is a connection.
  connected(online) {
    this.#online = online;
    for (const line of this.#items.values()) this.#show(line);
  }

  // done takes a line out that the room has.
  done(ref) {
    this.#items.get(ref)?.item.remove();
    this.#items.delete(ref);
  }

  // refused lets the user try once more, which calls again, or give up.
  refused(ref, why, again) {
    const line = this.#items.get(ref);
    if (!line) return;
    line.refused = true;
    this.#show(line);
    const retry = () => {
      line.refused = false;
      this.#show(line);
      again();
    };
    line.note.append(why, button("Try again", retry), button("Discard", () => this.done(ref)));
  }

  #show({ item, note, refused }) {
    item.classList.toggle("refused", refused);
    if (!refused) note.textContent = this.#online ? "Sending…" : "Waits for the connection";
    else if (note.childElementCount === 0) note.textContent = "Not sent. ";
  }
}

function button(text, act) {
  const b = element("button", "quiet", text);
  b.type = "button";
  b.addEventListener("click", act);
  return b;
}
