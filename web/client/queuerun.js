// The client of a queuerun server, for browsers and Node: one module without
// dependencies. README.md says how it is used, queuerun.d.ts what each name takes
// and gives.
//
// A Client outlives its connections. Each of them is a Link: one attempt, and what
// comes of it if the server accepts. The client remembers a position for every
// channel it listens to and names them all to the next link, which goes on exactly
// there. A position is named only after the listeners of its message have run, so no
// message is lost and none comes twice.

const protocol = "queuerun.v1";

// How long a server that limits its clients wants to be left alone.
const limitedFor = 5_000;

// The longest advice that is taken.
const longestAdvice = 3_600_000;

// A timer that is set for longer ends at once.
const longestTimer = 2 ** 31 - 1;

// The code with which a link is given up. After 1000 the server would take the user
// for gone at once; after any other it waits for the next link.
const givenUp = 4900;

// How many acknowledgements wait for the server's answer; an old server gives none.
const maxUnacked = 1000;

// The silence that ends a link whose server does not say how often it speaks.
const defaultPatience = 35_000;

// ---------------------------------------------------------------- errors

// QueuerunError is the base of all errors of this module.
export class QueuerunError extends Error {
  constructor(message, fields) {
    super(message);
    this.name = new.target.name;
    Object.assign(this, fields);
  }
}

// ServerError is what a handler of the server returned, in its own words.
export class ServerError extends QueuerunError {}

// TimeoutError: no reply came in time. If `sent`, the server may have handled the
// request, or do so yet; else it never will.
export class TimeoutError extends QueuerunError {}

// DisconnectedError: the connection broke after the request was sent and before its
// reply came. The server may have handled it.
export class DisconnectedError extends QueuerunError {}

// ClosedError: the client is closed, by the application or because the server said,
// with `code` and `reason`, that coming back is of no use.
export class ClosedError extends QueuerunError {}

// BufferFullError: so much waits to be sent that nothing more is taken.
export class BufferFullError extends QueuerunError {}

// TooBigError: the server takes frames of at most `limit` bytes.
export class TooBigError extends QueuerunError {}

// ---------------------------------------------------------------- events

const takeWork = Symbol("takeWork");
const setTaken = Symbol("setTaken");
const isTaken = Symbol("isTaken");

class ClientEvent extends Event {
  #work = [];
  #taken = false;

  constructor(type, fields) {
    super(type);
    Object.assign(this, fields);
  }

  // waitUntil puts off what follows from the event, the acknowledgement of a message
  // and the storing of a position, until the promise has settled.
  waitUntil(promise) {
    if (!this.#work) throw new QueuerunError("waitUntil was called after the listeners had run");
    this.#work.push(promise);
  }

  [takeWork]() {
    const work = this.#work;
    this.#work = null;
    return work;
  }

  // A message is taken when a listener was called.
  [setTaken]() { this.#taken = true; }
  get [isTaken]() { return this.#taken; }
}

// ---------------------------------------------------------------- frames

// encode returns the frame of a message and its size in bytes. A string goes as a
// text, bytes go as they are, anything else as JSON. It throws a TypeError for what
// would not arrive.
function encode(payload, id) {
  const bytes = bytesOf(payload);
  if (bytes) {
    const header = new TextEncoder().encode(JSON.stringify({ id }) + "\n");
    const frame = new Uint8Array(header.length + bytes.length);
    frame.set(header);
    frame.set(bytes, header.length);
    return { frame, size: frame.length };
  }
  const json = jsonOf(payload, "a message");
  const kind = typeof payload === "string" ? "text" : "data";
  const frame = id === undefined ? `{"${kind}":${json}}` : `{"id":${id},"${kind}":${json}}`;
  return { frame, size: new TextEncoder().encode(frame).length };
}

function bytesOf(payload) {
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  // One of another frame of the page is no instance of this one's ArrayBuffer.
  return ["ArrayBuffer", "SharedArrayBuffer"].includes(kindOf(payload)) ? new Uint8Array(payload) : null;
}

// jsonOf returns the JSON of a value, for which JSON.stringify would put {} or null
// without a word where it finds what JSON does not have.
function jsonOf(value, what) {
  const json = JSON.stringify(value, (key, part) => {
    if (!arrives(part)) {
      const where = key === "" ? what : `${what} with ${JSON.stringify(key)}`;
      throw new TypeError(`${where} cannot be sent as JSON: ${kindOf(part)}`);
    }
    return part;
  });
  if (json === undefined) throw new TypeError(`${what} cannot be of type ${typeof value}`);
  return json;
}

// arrives tells whether JSON has such a value. That members without a value are left
// out is as everybody expects it.
function arrives(value) {
  if (typeof value === "bigint") return false;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return true;
  if (ArrayBuffer.isView(value)) return false;
  // A Blob, a Map, a Promise, an Error: what they hold is not in their members.
  return Object.keys(value).length > 0 || ["Object", "Number", "String", "Boolean"].includes(kindOf(value));
}

// kindOf names what a value is: "Blob", "Map", "BigInt".
function kindOf(value) {
  if (typeof value === "number") return String(value);
  return Object.prototype.toString.call(value).slice(8, -1);
}

// decode returns the header of a frame, whether it carries a payload, and which.
function decode(raw) {
  if (typeof raw === "string") {
    const header = parseObject(raw);
    const kind = ["data", "text"].find((name) => name in header);
    return { header, filled: kind !== undefined, payload: header[kind] };
  }
  const bytes = new Uint8Array(raw);
  const end = bytes.indexOf(10);
  if (end < 0) throw new SyntaxError("a binary frame without a header");
  // The payload is a copy, so that its .buffer is the payload and nothing else.
  return { header: parseObject(new TextDecoder().decode(bytes.subarray(0, end))), filled: true, payload: bytes.slice(end + 1) };
}

function parseObject(text) {
  const value = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new SyntaxError("not an object");
  return value;
}

// topicOf returns the topic of a channel: "room" of "#room", null of the user's own
// channel "" and of the broadcast "*".
function topicOf(channel) {
  return channel.startsWith("#") ? channel.slice(1) : null;
}

// ---------------------------------------------------------------- links

// Link is one attempt to reach the server and the connection that comes of it. It
// ends once, and is silent after that.
class Link {
  #socket = null;
  #on;
  #ended = false;
  #abort = new AbortController();
  #heard = Date.now(); // the last frame, or the beginning of an attempt
  #accepted = false;
  #patience;
  #timer = 0;

  // on.frame(link, decoded) is called for each frame, on.end(link, {code, reason,
  // error}) at the end. Patience is how many milliseconds the attempt may take.
  constructor(patience, on) {
    this.#patience = patience;
    this.#on = on;
  }

  get live() { return this.#socket?.readyState === 1; }
  get unsentBytes() { return this.#socket.bufferedAmount; }

  heardSince(time) { return this.#heard > time; }

  // open connects and sends the first frame: hello(signal) resolves to a function that
  // makes it, when the positions are what they will be, or to null if there is no use.
  async open(WebSocket, url, hello) {
    this.check();
    try {
      if (this.#ended) return;
      const greet = await hello(this.#abort.signal);
      if (this.#ended) return;
      if (!greet) {
        this.end(4401, "the server has refused these credentials, and there are no others");
        return;
      }
      const socket = (this.#socket = new WebSocket(url, protocol));
      socket.binaryType = "arraybuffer";
      let opened = false;
      socket.onopen = () => {
        opened = true;
        if (socket.protocol === protocol) this.send(greet());
        else this.end(4400, `the server does not speak ${protocol}`);
      };
      socket.onmessage = (event) => this.#receive(event.data);
      socket.onclose = (event) => this.end(event.code, event.reason);
      socket.onerror = (event) => {
        // Node 20 has no close event after an attempt that failed.
        if (!opened) this.end(1006, event.message ?? "");
      };
    } catch (thrown) {
      const error = thrown ?? new QueuerunError("the authentication function failed and did not say why");
      this.end(1006, String(error.message ?? error), error);
    }
  }

  send(frame) {
    if (this.live) this.#socket.send(frame);
  }

  // accepted makes patience, from now on, that between two frames.
  accepted(patience) {
    this.#accepted = true;
    this.#heard = Date.now();
    this.#patience = patience;
    this.check();
  }

  // check ends the link if it was silent for too long, and else looks again when it
  // could be.
  check() {
    if (this.#ended) return;
    clearTimeout(this.#timer);
    const now = Date.now();
    this.#heard = Math.min(this.#heard, now); // the clock may have been set back
    const left = this.#heard + this.#patience - now;
    const why = this.#accepted ? "nothing was heard for" : "not accepted within";
    if (left <= 0) this.end(1006, `${why} ${this.#patience} ms`);
    else if (this.#socket?.readyState === 3) this.end(1006, ""); // while the page was frozen
    else this.#timer = setTimeout(() => this.check(), Math.min(left, longestTimer));
  }

  // end closes the connection. The code is for this side: browsers let only 1000 and
  // an application's own codes out, of which the server gets one that says whether
  // this is a goodbye.
  end(code, reason, error) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.onerror = () => {}; // the ws package throws what nobody listens to
      this.#socket.close(code === 1006 ? givenUp : 1000);
    }
    this.#on.end(this, { code, reason, error });
  }

  #receive(raw) {
    if (this.#accepted) this.#heard = Date.now();
    let decoded;
    try {
      decoded = decode(raw);
    } catch (cause) {
      const error = new QueuerunError("the server sent a frame that cannot be read", { cause });
      this.end(1006, error.message, error);
      return;
    }
    this.#on.frame(this, decoded);
  }
}

// ---------------------------------------------------------------- positions

// Positions is where in each channel the client is, and whose channels these are: in
// memory and, with a storage, beyond a reload.
class Positions {
  #memory;
  #stored; // lags behind while the application works on messages
  #storage;
  #key;
  #failed;

  constructor(storage, key, failed) {
    this.#storage = storage;
    this.#key = key;
    this.#failed = failed;
    this.#memory = this.#load();
    this.#stored = this.#load();
  }

  get user() { return this.#memory.user; }
  get at() { return { ...this.#memory.at }; }

  // move makes a change in memory, and returns the function that makes the same
  // change in the storage.
  move(change) {
    const stored = this.#stored;
    change(this.#memory);
    return () => {
      change(stored);
      if (stored === this.#stored) this.#store(); // or it is forgotten
    };
  }

  // forget drops everything, also the moves that have yet to reach the storage.
  forget() {
    this.#memory = { user: null, at: {} };
    this.#stored = { user: null, at: {} };
    this.#store();
  }

  #load() {
    try {
      const { user = null, at = {} } = JSON.parse(this.#storage?.getItem(this.#key) ?? "{}");
      // A server would not accept a client that names a position that is none.
      if (Object.values(at).every((position) => typeof position === "string")) return { user, at: { ...at } };
    } catch {} // blocked, or not ours
    return { user: null, at: {} };
  }

  #store() {
    if (!this.#storage) return;
    try {
      if (Object.keys(this.#stored.at).length > 0) this.#storage.setItem(this.#key, JSON.stringify(this.#stored));
      else this.#storage.removeItem(this.#key);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  // An old position in the storage would bring messages twice after a reload.
  #giveUp(error) {
    const storage = this.#storage;
    this.#storage = null;
    try {
      storage.removeItem(this.#key);
    } catch {} // the first error says it all
    this.#failed(error);
  }
}

// ---------------------------------------------------------------- pace

// Pace keeps a client within what its server takes, or the server would close the
// connection and lose what is sent next. A network may deliver faster than was sent,
// after a delay, so the pace is stricter than the server.
class Pace {
  #interval; // between frames on average; 0 means no limit
  #ahead; // by how much the last frame of a burst is early
  #most; // by how much a sign of life may be, for which the rest is kept
  #used = performance.now(); // everything until then, which may lie ahead

  constructor(perSecond, burst = 1) {
    this.#interval = perSecond > 0 ? 1100 / perSecond : 0;
    this.#ahead = 0.75 * (burst - 1) * this.#interval;
    this.#most = perSecond > 0 ? ((burst - 1) * 1000) / perSecond : 0;
    this.take(); // the first frame
  }

  // wait is how many milliseconds the next frame has to wait, waitOfBeat a sign of life.
  get wait() { return this.#until(this.#used - this.#ahead); }
  get waitOfBeat() { return this.#until(this.#used - this.#most); }

  #until(time) { return this.#interval === 0 ? 0 : Math.max(0, time - performance.now()); }

  take() {
    if (this.#interval > 0) this.#used = Math.max(this.#used, performance.now()) + this.#interval;
  }
}

// ---------------------------------------------------------------- client

// connect returns a client that is on its way to the server at the URL.
export function connect(url = "/socket", options = {}) {
  return new Client({ ...options, url }).connect();
}

export class Client extends EventTarget {
  #options;
  #state = "closed";
  #link = null;
  #connection = null;
  #topics = new Set(); // channels
  #maxMessage = Infinity;
  #positions;
  #work = null; // settles when the work on all messages so far has
  #takers = new WeakMap(); // by the application's listener of messages

  // Coming back.
  #failures = 0; // in a row
  #recalls = 0; // those of them after which the server wanted the client back soon
  #refusals = 0; // of credentials, in a row
  #credentials; // the last ones, as JSON
  #complaint = ""; // the last error of this link that belongs to no request
  // Times of performance.now(), which goes on when the clock is set.
  #onlineAt = 0;
  #advice = 0; // of the server, for the time after this link
  #notBefore = 0; // until then the server wants to be left alone
  #timer = 0;
  #networkLostAt = 0; // of Date.now()
  #page = null; // AbortController of what is listened to in the page

  // Going out.
  #waiting = new Set(); // {frame, size, request}, in order
  #waitingBytes = 0;
  #requests = new Map(); // by id
  #lastID = 0;
  #unacked = new Set(); // tokens that are due and that the server has not answered
  #unsaid = new Set(); // those of them that this link has not been given
  #pace = null;
  #flushTimer = 0;
  #beatTimer = 0;
  // A server that has other things to send sends no heartbeats, and hears none back. It
  // may take the client for dead after heartbeat and timeout. Its next frame comes within
  // heartbeat, so the client says something with each frame after half a timeout.
  #silence = Infinity;
  #spokeAt = 0;

  constructor(options = {}) {
    super();
    const { url = "/socket", WebSocket = globalThis.WebSocket, storage = null } = options;
    if (!WebSocket) throw new QueuerunError("there is no WebSocket here: give one as the option WebSocket");
    const target = new URL(url, globalThis.location?.href);
    target.protocol = target.protocol.replace(/^http/, "ws");
    target.hash = "";
    this.#options = {
      url: target.href,
      WebSocket,
      auth: options.auth,
      connectTimeout: options.connectTimeout ?? 15_000,
      requestTimeout: options.requestTimeout ?? 30_000,
      backoff: { base: 500, max: 20_000, stable: 5_000, ...options.backoff },
      buffer: { messages: 100, bytes: 1 << 20, ...options.buffer },
    };
    this.#positions = new Positions(storage, options.storageKey ?? `queuerun ${target.href}`, (error) => this.#fail(error));
  }

  get url() { return this.#options.url; }
  get state() { return this.#state; }
  get connection() { return this.#connection; }
  get user() { return this.#connection === null ? null : this.#positions.user; }
  get topics() { return [...this.#topics].map(topicOf); }
  get buffered() { return this.#waiting.size; }

  connect() {
    if (this.#state !== "closed") return this;
    this.#failures = this.#recalls = this.#refusals = 0;
    this.#watchPage();
    this.#dial();
    return this;
  }

  reconnect() {
    if (this.#state === "closed") return this.connect();
    this.#dropLink(1006);
    this.#dial();
    return this;
  }

  close({ forget = false } = {}) {
    if (this.#state !== "closed") this.#shut(1000, "closed by the application");
    if (!forget) return; // what is due to be acknowledged is, after the next connect
    this.#unacked.clear();
    this.#topics.clear();
    this.#positions.forget();
  }

  send(data) {
    this.#write(encode(data));
  }

  request(data, { timeout = this.#options.requestTimeout, signal } = {}) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const id = ++this.#lastID;
      const message = encode(data, id);
      let timer = 0;
      const settle = (how, value) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#requests.delete(id);
        this.#unwait(message);
        how(value);
      };
      const abort = () => settle(reject, signal.reason);
      const request = { sent: false, resolve: (value) => settle(resolve, value), reject: (error) => settle(reject, error) };
      message.request = request;
      this.#requests.set(id, request);
      signal?.addEventListener("abort", abort);
      if (timeout > 0 && timeout <= longestTimer) {
        const late = () => settle(reject, new TimeoutError(`no reply came within ${timeout} ms`, { sent: request.sent }));
        timer = setTimeout(late, timeout);
      }
      try {
        this.#write(message); // in which a listener may close the client
      } catch (error) {
        settle(reject, error);
      }
    });
  }

  // -------------------------------------------------------------- listeners

  // An EventTarget does not tell whether somebody listens. So a listener of messages
  // is wrapped in one that says so to the message.
  addEventListener(type, listener, options) {
    super.addEventListener(type, type === "message" ? this.#taker(listener) : listener, options);
  }

  removeEventListener(type, listener, options) {
    super.removeEventListener(type, (type === "message" && this.#takers.get(listener)) || listener, options);
  }

  #taker(listener) {
    if (typeof listener !== "function" && (typeof listener !== "object" || listener === null)) return listener;
    let taker = this.#takers.get(listener);
    if (!taker) {
      taker = (event) => {
        event[setTaken]?.(); // the application may dispatch messages of its own
        return typeof listener === "function" ? listener.call(this, event) : listener.handleEvent(event);
      };
      this.#takers.set(listener, taker);
    }
    return taker;
  }

  // -------------------------------------------------------------- going out

  get #online() { return this.#state === "online" && this.#link.live; }

  // write sends a message, or keeps it for the next link.
  #write(message) {
    if (this.#state === "closed") throw new ClosedError("the client is closed", { code: 1000, reason: "" });
    this.#checkSize(message);
    const { messages, bytes } = this.#options.buffer;
    if (this.#online && this.#waiting.size === 0 && this.#pace.wait === 0) {
      const unsent = this.#link.unsentBytes;
      if (unsent > 0 && unsent + message.size > bytes) throw new BufferFullError(`${unsent} bytes wait to be sent`);
      this.#hand(message);
      return;
    }
    if (this.#waiting.size >= messages || this.#waitingBytes + message.size > bytes) {
      throw new BufferFullError(`${this.#waiting.size} messages with ${this.#waitingBytes} bytes wait to be sent`);
    }
    this.#waiting.add(message);
    this.#waitingBytes += message.size;
    if (this.#online) this.#flush();
  }

  #hand({ frame, request }) {
    if (request) request.sent = true;
    clearTimeout(this.#beatTimer); // this is a sign of life as well
    this.#pace.take();
    this.#spokeAt = performance.now();
    this.#link.send(frame);
  }

  // ready says whether a frame can be sent now. If it just has to wait, flush is
  // called in time.
  #ready() {
    if (!this.#online) return false;
    const { wait } = this.#pace;
    clearTimeout(this.#flushTimer);
    if (wait > 0) this.#flushTimer = setTimeout(() => this.#flush(), wait);
    return wait === 0;
  }

  #unwait(message) {
    if (this.#waiting.delete(message)) this.#waitingBytes -= message.size;
  }

  #checkSize({ size }) {
    const limit = this.#maxMessage;
    if (size > limit) throw new TooBigError(`a frame of ${size} bytes, and the server takes ${limit}`, { limit });
  }

  // flush sends what was kept, oldest first, as far as the server takes it.
  #flush() {
    for (const ack of [...this.#unsaid]) {
      if (!this.#ready()) return;
      this.#unsaid.delete(ack);
      this.#hand({ frame: JSON.stringify({ ack }) });
    }
    // A listener that is told of an error may send: then all of this is sent already.
    for (const message of this.#waiting) {
      if (!this.#ready()) return;
      this.#unwait(message);
      try {
        this.#checkSize(message);
        this.#hand(message);
      } catch (error) {
        if (message.request) message.request.reject(error);
        else this.#fail(error);
      }
    }
  }

  #acknowledge(ack) {
    this.#unacked.add(ack);
    if (this.#unacked.size > maxUnacked) this.#unacked.delete(this.#unacked.values().next().value);
    this.#unsaid.add(ack);
    this.#flush();
  }

  // -------------------------------------------------------------- coming in

  #receive(link, frame) {
    this.#handle(link, frame);
    const online = this.#link === link && this.#online; // a listener may have ended it
    if (online && performance.now() - this.#spokeAt >= this.#silence) this.#beat(link);
  }

  #handle(link, { header, filled, payload }) {
    if (header.id !== undefined) this.#reply(header, payload);
    else if (filled) this.#message(header, payload);
    else if (header.connected) this.#accepted(link, header.connected);
    else if (header.missed !== undefined) this.#missed(header);
    else if (header.joined !== undefined) this.#joined(header);
    else if (header.left !== undefined) this.#left(header);
    else if (header.acked !== undefined) this.#unacked.delete(header.acked);
    else if (header.reconnect) this.#advice = Math.min(Math.max(Number(header.reconnect.after) || 0, 0), longestAdvice);
    else if (header.error !== undefined) this.#fail(new ServerError((this.#complaint = header.error)));
    else if (Object.keys(header).length === 0) this.#beat(link);
  }

  #beat(link) {
    clearTimeout(this.#beatTimer);
    const wait = this.#pace?.waitOfBeat ?? 0; // there is none before the link is accepted
    if (wait > 0) {
      this.#beatTimer = setTimeout(() => this.#beat(link), wait);
      return;
    }
    this.#pace?.take();
    this.#spokeAt = performance.now();
    link.send("{}");
  }

  #reply({ id, error }, payload) {
    const request = this.#requests.get(id);
    if (error !== undefined) request?.reject(new ServerError(error));
    else request?.resolve(payload);
  }

  #message({ on = "", at, ack }, data) {
    // Before a listener may forget the positions. No link names them until all have run.
    const keep = at === undefined ? null : this.#positions.move((positions) => (positions.at[on] = at));
    const event = new ClientEvent("message", { channel: on, topic: topicOf(on), data, ephemeral: at === undefined });
    const work = this.#dispatch(event);
    this.#after(work, () => {
      keep?.();
      if (ack !== undefined && event[isTaken]) this.#acknowledge(ack); // the application has it
    });
  }

  #accepted(link, { connection, user = null, at = {}, recovered, lost, heartbeat, timeout, maxMessage, maxRate, maxBurst }) {
    const named = Object.keys(this.#positions.at);
    if (recovered !== undefined && user !== this.#positions.user) {
      [recovered, lost] = [false, named]; // what the page has belongs to somebody else
    }
    lost = recovered === false ? lost ?? named : [];
    link.accepted(heartbeat + timeout || defaultPatience);
    this.#spokeAt = performance.now();
    this.#silence = Math.min(heartbeat, timeout / 2) || Infinity;
    this.#connection = connection;
    this.#maxMessage = maxMessage ?? Infinity;
    this.#refusals = 0;
    this.#onlineAt = performance.now();
    const keep = this.#positions.move((positions) => Object.assign(positions, { user, at: { ...at } }));
    const moves = this.#moveTopics(Object.keys(at).filter(topicOf));
    this.#pace = new Pace(maxRate, maxBurst);
    this.#unsaid = new Set(this.#unacked); // what was written to a link that was dead is to be said again
    this.#state = "online";
    this.#flush(); // before a listener sends what is newer
    const work = [];
    const emit = (type, fields) => {
      if (this.#link === link) work.push(...this.#emit(type, fields)); // or a listener has ended it
    };
    emit("state", this.#condition());
    emit("connected", { connection, user, channels: Object.keys(at), recovered, lost });
    for (const move of moves) emit(...move);
    if (recovered === false) emit("lost", { channels: lost });
    this.#after(work, keep);
  }

  // moveTopics returns the events that tell the difference.
  #moveTopics(channels) {
    const before = this.#topics;
    this.#topics = new Set(channels);
    const event = (type) => (channel) => [type, { channel, topic: topicOf(channel) }];
    return [
      ...[...before].filter((channel) => !this.#topics.has(channel)).map(event("left")),
      ...[...this.#topics].filter((channel) => !before.has(channel)).map(event("joined")),
    ];
  }

  #joined({ joined, at }) {
    this.#move((positions) => (positions.at[joined] = at));
    for (const move of this.#moveTopics([...this.#topics, joined])) this.#emit(...move);
  }

  #left({ left }) {
    this.#move((positions) => delete positions.at[left]);
    for (const move of this.#moveTopics([...this.#topics].filter((channel) => channel !== left))) this.#emit(...move);
  }

  #missed({ missed, at }) {
    const keep = this.#positions.move((positions) => (positions.at[missed] = at));
    this.#after(this.#emit("lost", { channels: [missed] }), keep);
  }

  #move(change) {
    this.#after([], this.#positions.move(change));
  }

  // after takes a step when the given work and that on all messages before has
  // settled: at once, if there is none.
  #after(work, step) {
    if (work.length === 0 && this.#work === null) {
      step();
      return;
    }
    const reported = work.map((promise) => Promise.resolve(promise).catch((error) => this.#fail(error)));
    const done = Promise.all([this.#work, ...reported]).then(() => {
      step();
      if (this.#work === done) this.#work = null;
    });
    this.#work = done;
  }

  #fail(error) {
    this.#emit("error", { error });
  }

  // emit dispatches an event, and returns the work that its listeners have announced.
  #emit(type, fields) {
    return this.#dispatch(new ClientEvent(type, fields));
  }

  #dispatch(event) {
    this.dispatchEvent(event);
    return event[takeWork]();
  }

  // -------------------------------------------------------------- coming and going

  #dial() {
    clearTimeout(this.#timer);
    this.#notBefore = this.#advice = this.#onlineAt = 0;
    this.#complaint = "";
    const { WebSocket, url, connectTimeout } = this.#options;
    const link = (this.#link = new Link(connectTimeout, {
      frame: (link, decoded) => this.#receive(link, decoded),
      end: (link, why) => this.#ended(link, why),
    }));
    this.#enter("connecting");
    link.open(WebSocket, url, (signal) => this.#hello(signal));
  }

  // hello gets the credentials for a link, and returns what makes its first frame, or
  // null if there are none but those that were refused.
  async #hello(signal) {
    const { auth } = this.#options;
    const refused = this.#refusals > 0;
    const credentials = typeof auth === "function" ? await auth({ signal, refused }) : auth;
    if (signal.aborted) return null; // what the next link has been given is not to be mixed up
    const json = credentials === undefined ? undefined : jsonOf(credentials, "a credential");
    if (refused && json !== undefined && json === this.#credentials) return null;
    this.#credentials = json;
    const kind = typeof credentials === "string" ? "text" : "data";
    return () => {
      const { at } = this.#positions;
      const connect = JSON.stringify(Object.keys(at).length > 0 ? { at } : {});
      return json === undefined ? `{"connect":${connect}}` : `{"connect":${connect},"${kind}":${json}}`;
    };
  }

  // ended decides whether to come back after a link has ended, and when.
  #ended(link, { code, reason, error }) {
    if (this.#link !== link) return;
    this.#dropLink(code);
    reason ||= this.#complaint;
    if (code === 4401) this.#refusals++;
    if (!this.#mayReturn(code)) {
      this.#shut(code, reason);
      return;
    }
    if (this.#onlineAt > 0 && performance.now() - this.#onlineAt >= this.#options.backoff.stable) {
      this.#failures = this.#recalls = 0;
    }
    const imposed = Math.max(this.#advice, code >= 4100 && code < 4200 ? limitedFor : 0);
    // Who is wanted back soon need not be patient because others were away before, but
    // grows patient with a server that says it again and again.
    const soon = this.#advice > 0 || (code >= 4000 && code < 4100);
    const wait = Math.round(imposed + this.#jitter(soon ? this.#recalls++ : this.#failures));
    this.#failures++;
    this.#notBefore = performance.now() + imposed;
    this.#dialIn(wait);
    this.#enter("offline", { code, reason, retryAt: Date.now() + wait });
    if (error !== undefined) this.#fail(error);
  }

  // mayReturn says whether another attempt may go better than the one that ended
  // with the code.
  #mayReturn(code) {
    if (code === 4401) return typeof this.#options.auth === "function" && this.#refusals < 2;
    return ![1000, 1002, 1003, 1007, 1009].includes(code) && !(code >= 4400 && code < 4500);
  }

  // jitter returns a random part of a delay that doubles with each failure, so that
  // all clients of a server that restarts do not come at once.
  #jitter(failures) {
    const { base, max } = this.#options.backoff;
    return Math.random() * Math.min(max, base * 2 ** failures);
  }

  #dialIn(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dial(), Math.min(milliseconds, longestTimer));
  }

  // shut ends it all, until connect is called.
  #shut(code, reason) {
    clearTimeout(this.#timer);
    this.#page.abort();
    this.#state = "closed"; // nothing is kept from here on
    this.#dropLink(1000);
    const error = new ClosedError(`closed for good: ${reason || `code ${code}`}`, { code, reason });
    for (const request of [...this.#requests.values()]) request.reject(error);
    this.#waiting.clear();
    this.#waitingBytes = 0;
    this.#emit("state", this.#condition({ code, reason }));
    if (code !== 1000) this.#fail(error);
  }

  // dropLink leaves the link behind, and with it the requests that it has taken along.
  #dropLink(code) {
    const link = this.#link;
    clearTimeout(this.#flushTimer);
    clearTimeout(this.#beatTimer);
    this.#link = this.#connection = this.#pace = null;
    link?.end(code, "");
    const error = new DisconnectedError("the connection was lost before the reply came");
    for (const request of [...this.#requests.values()]) {
      if (request.sent) request.reject(error);
    }
  }

  #enter(state, fields) {
    if (state === this.#state) return;
    this.#state = state;
    this.#emit("state", this.#condition(fields));
  }

  #condition(fields) {
    return { state: this.#state, code: null, reason: "", retryAt: null, ...fields };
  }

  // watchPage listens to what a browser knows before any time-out does. A worker has
  // no document, and Node has nothing of it.
  #watchPage() {
    this.#page = new AbortController();
    const { signal } = this.#page;
    const listen = (target, type, listener) => target?.addEventListener?.(type, listener, { signal });
    listen(globalThis, "offline", () => (this.#networkLostAt = Date.now()));
    listen(globalThis, "online", () => this.#networkBack());
    listen(globalThis, "pageshow", () => this.#wake());
    listen(globalThis.document, "visibilitychange", () => {
      if (globalThis.document.visibilityState === "visible") this.#wake();
    });
  }

  // A link that was silent since the network went away has probably gone with it.
  #networkBack() {
    if (!this.#link?.heardSince(this.#networkLostAt)) this.#link?.end(1006, "the network was away");
    this.#wake();
  }

  // wake looks whether the link is still there, and ends the wait for the next
  // attempt, except for what the server asked for.
  #wake() {
    this.#link?.check();
    if (this.#state === "offline") this.#dialIn(Math.max(0, this.#notBefore - performance.now()));
  }
}
