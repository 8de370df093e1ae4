import { avatar, compareIDs, element, timeElement } from "./format.js";

const kept = 200; // lines on the page
const sameBreath = 3 * 60_000; // ms in which lines of one author stand together

// Chat shows the room's log. Entries may come in any order and more than once:
// each stands where its id puts it, and only once.
export class Chat {
  #log = document.getElementById("log");
  #list = document.getElementById("entries");
  #empty = document.getElementById("chat-empty");
  #newest = document.getElementById("newest");
  #entries = []; // sorted by id
  #before = new Set(); // ids known before the room was asked for
  #name = "";
  #missed = document.getElementById("chat-missed");

  #following = true; // what is newest is in view

  constructor() {
    this.#log.addEventListener("scroll", () => {
      this.#following = this.#atEnd();
      if (this.#following) this.#newest.hidden = true;
    });
    new ResizeObserver(() => {
      if (this.#following) this.toEnd();
    }).observe(this.#log);
    this.#newest.addEventListener("click", () => this.toEnd());
  }

  clear() {
    this.#entries = [];
    this.#list.replaceChildren();
    this.#empty.hidden = false;
    this.#newest.hidden = true;
    this.#missed.hidden = true;
  }

  // awaitRoom says that the room is asked for, as the user called name. What is on
  // the page stays there until it comes.
  awaitRoom(name) {
    this.#name = name;
    this.#before = new Set(this.#entries.map((entry) => entry.id));
  }

  // enter shows the room's log. What is known from before and no longer in the
  // log goes: a hole might follow it, and does if the log goes on later.
  enter(entries) {
    this.#missed.hidden = this.#before.size === 0 || entries.length === 0 || entries.some(({ id }) => this.#before.has(id));
    for (const { id } of entries) this.#before.delete(id);
    for (const id of this.#before) this.#remove(id);
    this.#before.clear();
    // History is no news to a screen reader.
    this.#log.setAttribute("aria-busy", "true");
    for (const entry of entries) this.#insert(entry);
    this.#log.removeAttribute("aria-busy");
    this.toEnd();
  }

  add(entry) {
    const follow = this.#atEnd() || (entry.type === "chat" && entry.name === this.#name);
    if (!this.#insert(entry)) return;
    if (follow) this.toEnd();
    else this.#newest.hidden = false;
  }

  #insert(entry) {
    let i = this.#entries.length;
    while (i > 0 && compareIDs(this.#entries[i - 1].id, entry.id) > 0) i--;
    if (i > 0 && this.#entries[i - 1].id === entry.id) return false;
    this.#entries.splice(i, 0, entry);
    this.#list.insertBefore(this.#line(entry), this.#list.children[i] ?? null);
    this.#join(i);
    this.#join(i + 1);
    if (this.#entries.length > kept) this.#remove(this.#entries[0].id);
    this.#empty.hidden = true;
    return true;
  }

  #remove(id) {
    const i = this.#entries.findIndex((entry) => entry.id === id);
    if (i < 0) return;
    this.#entries.splice(i, 1);
    this.#list.children[i].remove();
    this.#join(i);
    this.#empty.hidden = this.#entries.length > 0;
  }

  // join lets a line follow the one before it without its author's name again.
  #join(i) {
    const [before, entry] = [this.#entries[i - 1], this.#entries[i]];
    if (!entry) return;
    const follows =
      before?.type === "chat" &&
      entry.type === "chat" &&
      before.name === entry.name &&
      new Date(entry.at) - new Date(before.at) < sameBreath;
    this.#list.children[i].classList.toggle("follows", follows);
  }

  #line(entry) {
    const line = element("li", entry.type === "chat" ? "line" : "event");
    const mine = entry.name === this.#name;
    if (entry.type === "chat") {
      const head = element("p", "author");
      head.append(element("b", "", mine ? "You" : entry.name), " ", timeElement(entry.at));
      const body = element("div", "body");
      body.append(head, element("p", "text", entry.text));
      line.append(avatar(entry.name), body);
    } else {
      const what = entry.type === "joined" ? " came in " : " left ";
      line.append(element("b", "", mine ? "You" : entry.name), what, timeElement(entry.at));
    }
    return line;
  }

  #atEnd() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 60;
  }

  // toEnd scrolls to the newest line.
  toEnd() {
    this.#following = true;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#newest.hidden = true;
  }
}
