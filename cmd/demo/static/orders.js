import { element, timeElement } from "./format.js";

const steps = ["preparing", "packaging", "shipped"];
const kept = 15; // orders on the page

// Orders shows how far the user's orders are. A report may come late or again:
// the first of each step counts, and the furthest step is the order's state.
export class Orders {
  #list = document.getElementById("orders");
  #empty = document.getElementById("orders-empty");
  #status = document.getElementById("order-status");
  #orders = new Map(); // id -> {item, times: step -> when}, oldest first
  #before = new Set(); // ids known before the room was asked for

  clear() {
    this.#orders.clear();
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }

  // awaitRoom says that the room is asked for. The orders stay until it comes.
  awaitRoom() {
    this.#before = new Set(this.#orders.keys());
  }

  // enter takes all reports that the server has. Orders known from before that
  // are not among them are forgotten.
  enter(reports) {
    for (const { order } of reports) this.#before.delete(order);
    for (const id of this.#before) this.#remove(id);
    this.#before.clear();
    for (const report of reports) this.#take(report);
  }

  add(report) {
    if (this.#take(report)) this.#status.textContent = `${report.item}: ${report.step}`;
  }

  // take returns whether the report brought its order further.
  #take({ order: id, item, step, at }) {
    let order = this.#orders.get(id);
    if (!order) {
      order = { item, times: new Map(), card: element("li", "order") };
      order.card.dataset.order = id;
      this.#orders.set(id, order);
      this.#list.prepend(order.card);
      this.#forget();
    }
    if (order.times.has(step)) return false;
    const before = furthest(order);
    order.times.set(step, at);
    this.#show(id, order);
    this.#empty.hidden = true;
    return furthest(order) > before;
  }

  // forget removes the oldest order that is done when there are too many.
  #forget() {
    if (this.#orders.size <= kept) return;
    for (const [id, order] of this.#orders) {
      if (furthest(order) === steps.length - 1) return this.#remove(id);
    }
  }

  #remove(id) {
    this.#orders.get(id)?.card.remove();
    this.#orders.delete(id);
    this.#empty.hidden = this.#orders.size > 0;
  }

  #show(id, order) {
    const reached = furthest(order);
    const head = element("p", "order-head");
    head.append(element("b", "", order.item), " ", element("code", "", id.slice(0, 6)));
    const track = element("ol", "track");
    for (const [i, step] of steps.entries()) track.append(this.#step(step, i, reached, order.times.get(step)));
    order.card.dataset.step = steps[reached] ?? "queued";
    order.card.replaceChildren(head, track);
    if (reached < 0) order.card.append(element("p", "waiting", "Waiting for its turn"));
  }

  #step(name, i, reached, at) {
    const last = steps.length - 1;
    const state = i < reached || (i === reached && i === last) ? "done" : i === reached ? "now" : "ahead";
    const step = element("li", state);
    step.dataset.name = name;
    if (state === "now") step.setAttribute("aria-current", "step");
    step.append(element("span", "step-name", name));
    if (at) step.append(timeElement(at, { seconds: true }));
    return step;
  }
}

// furthest returns the index of the last step that an order has reached, -1
// while it is in the queue.
function furthest(order) {
  return steps.findLastIndex((step) => order.times.has(step));
}
