import { avatar, compareIDs, element } from "./format.js";

// Members shows who is in the room. It starts from a list that is at least as new
// as one entry of the log; later entries change it. An entry may overtake the list
// or another entry, so of each name the newest is remembered.
export class Members {
  #list = document.getElementById("members");
  #empty = document.getElementById("members-empty");
  #count = document.getElementById("member-count");
  #name = "";
  #names = new Set();
  #asOf = "0-0";
  #moves = new Map(); // name -> the newest entry after #asOf

  clear() {
    this.#names.clear();
    this.#moves.clear();
    this.#asOf = "0-0";
    this.#show();
  }

  // awaitRoom says that the room is asked for, as the user called name. The list
  // stays until it comes.
  awaitRoom(name) {
    this.#name = name;
    this.#moves.clear();
    this.#asOf = "0-0";
  }

  // enter takes a list that was made after the entry with the id asOf.
  enter(names, asOf) {
    if (compareIDs(asOf, this.#asOf) < 0) return;
    this.#names = new Set(names);
    this.#asOf = asOf;
    for (const [who, entry] of this.#moves) {
      if (compareIDs(entry.id, asOf) <= 0) this.#moves.delete(who);
      else this.#apply(entry);
    }
    this.#show();
  }

  // move takes an entry of type joined or left.
  move(entry) {
    const known = this.#moves.get(entry.name)?.id ?? this.#asOf;
    if (compareIDs(entry.id, known) <= 0) return;
    this.#moves.set(entry.name, entry);
    this.#apply(entry);
    this.#show();
  }

  #apply(entry) {
    if (entry.type === "joined") this.#names.add(entry.name);
    else this.#names.delete(entry.name);
  }

  #show() {
    const others = [...this.#names].filter((n) => n !== this.#name).sort((a, b) => a.localeCompare(b));
    const here = this.#names.has(this.#name);
    this.#list.replaceChildren(...(here ? [this.#name, ...others] : others).map((name) => this.#item(name)));
    this.#count.textContent = this.#names.size || "";
    this.#empty.hidden = others.length > 0;
    this.#empty.textContent = here
      ? "Only you so far. Open another tab and sign in with another name."
      : "Nobody is here yet.";
  }

  #item(name) {
    const item = element("li", "member");
    item.dataset.name = name;
    item.append(avatar(name), element("span", "name", name));
    if (name === this.#name) item.append(element("span", "you", "you"));
    return item;
  }
}
