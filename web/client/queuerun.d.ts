// Types of queuerun.js.

/**
 * What may be sent: a string goes as a text, bytes as a binary frame, anything else as JSON. What JSON does not have,
 * anywhere in the value, is a TypeError: bytes, a Blob, a Map, an Error, a bigint, NaN. Members that are undefined or
 * functions are left out, as by JSON.stringify.
 */
export type Sendable = string | ArrayBuffer | ArrayBufferView | object | number | boolean | null;

/** What Authenticate of the server is given: a string as a text, anything else as JSON. */
export type Credentials = string | object | number | boolean | null;

/** What an authentication function is told. */
export interface AuthContext {
  /** Aborted when the attempt to connect has ended; pass it to fetch. */
  signal: AbortSignal;
  /** Whether the server has refused the credentials that the last call returned. */
  refused: boolean;
}

/** Returns credentials for one connection, or nothing when a cookie says who this is. */
export type Authenticate = (context: AuthContext) => Credentials | undefined | void | Promise<Credentials | undefined | void>;

/**
 * Where the client is.
 * - `connecting`: an attempt is being made.
 * - `online`: the server has accepted the connection.
 * - `offline`: the next attempt has a time.
 * - `closed`: nothing is tried until `connect` is called.
 */
export type State = "connecting" | "online" | "offline" | "closed";

export interface ClientOptions {
  /** The server's endpoint: http, https, ws or wss, in a browser also relative to the page. Default: "/socket". */
  url?: string | URL;
  /** Credentials, or a function that gets them anew for each connection. What cannot be sent as JSON fails the attempt. Default: none, the HTTP request says who this is. */
  auth?: Credentials | Authenticate | undefined;
  /** The WebSocket to use. Default: the platform's. The package ws has one for Node before version 22. */
  WebSocket?: WebSocketConstructor;
  /** Milliseconds from the start of an attempt until the server has accepted it, the authentication function included; Infinity: for ever. Default: 15,000. */
  connectTimeout?: number;
  /** Milliseconds that a request waits for its reply, unless it says otherwise. 0 or Infinity: for ever. Default: 30,000. */
  requestTimeout?: number;
  /** The waits between attempts, in milliseconds. */
  backoff?: {
    /** The longest first wait; it doubles with each failure. Default: 500. */
    base?: number;
    /** The longest wait. Default: 20,000. */
    max?: number;
    /** A connection that lasted so long makes failures before it forgotten. Default: 5,000. */
    stable?: number;
  };
  /** How much may wait to be sent. */
  buffer?: {
    /** Messages while not online. Default: 100. */
    messages?: number;
    /** Bytes, also those that the connection has not taken yet. Default: 1 MiB. */
    bytes?: number;
  };
  /** Keeps positions beyond a reload, for a page that keeps what it makes of messages too: sessionStorage, for instance. Default: none. */
  storage?: PositionStorage | null;
  /** The item of the storage. Default: one named after the URL. */
  storageKey?: string;
}

/** The part of a browser's Storage that is used. */
export interface PositionStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** The part of a WebSocket that is used. */
export type WebSocketConstructor = new (url: string, protocol: string) => {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  readonly readyState: number;
  close(code?: number): void;
  send(data: any): void;
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
};

/** What all events have. */
export interface ClientEvent extends Event {
  /**
   * Puts off what follows from the event, the acknowledgement of a message and the storing of a position, until the
   * promise has settled, and what follows from all later events until then too. They are dispatched meanwhile. A
   * rejection is an `error` event, and counts as settled.
   * @throws QueuerunError after the listeners have run
   */
  waitUntil(promise: PromiseLike<unknown>): void;
}

/** The client has another state. */
export interface StateEvent extends ClientEvent {
  readonly type: "state";
  readonly state: State;
  /** The code with which the last connection was closed, 1006 without one; null when connecting and online. */
  readonly code: number | null;
  /** Why, in the server's words or the client's, "" if nobody said. */
  readonly reason: string;
  /** When the next attempt is made, in milliseconds since 1970; null unless offline. It is made earlier when the page or the network comes back. */
  readonly retryAt: number | null;
}

/** The server has accepted a connection. */
export interface ConnectedEvent extends ClientEvent {
  readonly type: "connected";
  /** The connection's id at the server. */
  readonly connection: string;
  /** The user it belongs to, null if it is anonymous. */
  readonly user: string | null;
  /** All channels it listens to: "" the user's own messages, "*" the broadcast, "#room" the topic "room". */
  readonly channels: string[];
  /**
   * Whether nothing was lost since the connection before; what was missed follows as messages. Undefined: a fresh
   * start, there was nothing to go on from. After false comes a `lost` event.
   */
  readonly recovered: boolean | undefined;
  /** The channels in which messages are lost. */
  readonly lost: string[];
}

/** Messages of these channels are lost for this client. Ask the application for the current state. */
export interface LostEvent extends ClientEvent {
  readonly type: "lost";
  readonly channels: string[];
}

/** The client listens to another topic from now on, or to one less. */
export interface TopicEvent extends ClientEvent {
  readonly type: "joined" | "left";
  readonly topic: string;
  /** "#" and the topic. */
  readonly channel: string;
}

/** A message. Its position is remembered, and the message acknowledged if there are any, after the listeners have run. */
export interface MessageEvent<T = any> extends ClientEvent {
  readonly type: "message";
  /** What was sent: the value of JSON, a string, or a Uint8Array with a buffer of its own. */
  readonly data: T;
  /** "" for a message to the user, "*" for a broadcast, "#room" for one to the topic "room". */
  readonly channel: string;
  /** The topic, or null. */
  readonly topic: string | null;
  /** Whether it is in no log: who is not there misses it for good. */
  readonly ephemeral: boolean;
}

/** Something went wrong that is not the outcome of a call. The client goes on unless its state is closed. */
export interface ErrorEvent extends ClientEvent {
  readonly type: "error";
  /**
   * A ServerError that belongs to no request; what the authentication function threw; a ClosedError that ends it all; a
   * TooBigError of a message that waited; what a storage or a promise given to waitUntil failed with.
   */
  readonly error: Error;
}

export interface ClientEventMap {
  state: StateEvent;
  connected: ConnectedEvent;
  lost: LostEvent;
  joined: TopicEvent;
  left: TopicEvent;
  message: MessageEvent;
  error: ErrorEvent;
}

// These two have names in the types of browsers only, not in those of Node.
type Listener = ((event: Event) => void) | { handleEvent(event: Event): void };
type ListenerOptions = { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal };

/** A connection to a queuerun server that comes back by itself. */
export class Client extends EventTarget {
  /**
   * A client that is closed until `connect` is called.
   * @throws TypeError if the URL is none
   * @throws QueuerunError if the platform has no WebSocket and none is given
   */
  constructor(options?: ClientOptions);

  /** The endpoint, ws: or wss:. */
  readonly url: string;
  readonly state: State;
  /** The id of the connection at the server, null while not online. */
  readonly connection: string | null;
  /** The user that the connection belongs to, null while not online or anonymous. */
  readonly user: string | null;
  /** The topics it listens to, while away those it listened to. */
  readonly topics: string[];
  /** How many messages wait for a connection. */
  readonly buffered: number;

  /** Starts, unless it has. */
  connect(): this;

  /** Ends the current connection or wait, and connects at once. */
  reconnect(): this;

  /**
   * Closes the connection and stops. What waits to be sent is dropped, requests are rejected. `connect` goes on where
   * this one ended, with the acknowledgements that are due, unless the positions are to be forgotten, as when a user
   * signs out.
   */
  close(options?: { forget?: boolean }): void;

  /**
   * Sends a message, now or when the client is online again. One that is on its way while the connection breaks may be
   * lost; `request` tells.
   * @throws ClosedError, BufferFullError, TooBigError, TypeError if it cannot be written as JSON
   */
  send(data: Sendable): void;

  /**
   * Sends a request and resolves to the reply: JSON's value, a string, a Uint8Array, or undefined if the handler gave
   * no answer. Rejects with ServerError, TimeoutError, DisconnectedError, ClosedError, BufferFullError, TooBigError,
   * TypeError, or the signal's reason.
   * @param options.timeout milliseconds, the wait for a connection included; 0 or Infinity: for ever
   */
  request<T = any>(data: Sendable, options?: { timeout?: number; signal?: AbortSignal }): Promise<T>;

  addEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: ((this: Client, event: ClientEventMap[K]) => any) | { handleEvent(event: ClientEventMap[K]): any } | null,
    options?: boolean | ListenerOptions,
  ): void;
  addEventListener(type: string, listener: Listener | null, options?: boolean | ListenerOptions): void;

  removeEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: ((this: Client, event: ClientEventMap[K]) => any) | { handleEvent(event: ClientEventMap[K]): any } | null,
    options?: boolean | { capture?: boolean },
  ): void;
  removeEventListener(type: string, listener: Listener | null, options?: boolean | { capture?: boolean }): void;
}

/** Returns a client that is on its way to the server. */
export function connect(url?: string | URL, options?: Omit<ClientOptions, "url">): Client;

/** The base of all errors of this module. */
export class QueuerunError extends Error {
  constructor(message: string, fields?: object);
}

/** What a handler of the server returned, in its own words. */
export class ServerError extends QueuerunError {}

/** No reply came in time. */
export class TimeoutError extends QueuerunError {
  /** If so, the server may have handled the request, or do so yet; else it never will. */
  readonly sent: boolean;
}

/** The connection broke after the request was sent and before its reply came: the server may have handled it. */
export class DisconnectedError extends QueuerunError {}

/** The client is closed: by the application, or because coming back is of no use. */
export class ClosedError extends QueuerunError {
  /** The code with which the server closed the connection, 1000 if the application closed the client. */
  readonly code: number;
  readonly reason: string;
}

/** So much waits to be sent that nothing more is taken. */
export class BufferFullError extends QueuerunError {}

/** The server takes no frames of this size. */
export class TooBigError extends QueuerunError {
  /** The largest frame, in bytes. */
  readonly limit: number;
}

export {}; // or what is not marked would be exported too
