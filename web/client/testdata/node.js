// Runs the suite in Node: node node.js <origin> [<module with a WebSocket>]. Prints
// the results as JSON.
import { createRequire } from "node:module";
import { run } from "./suite.js";

const [origin, module] = process.argv.slice(2);
const WebSocket = module ? createRequire(import.meta.url)(module) : globalThis.WebSocket;
const results = await run({ origin, WebSocket });
console.log(JSON.stringify(results));
// No exit here: what a client leaves running keeps Node alive, and the test sees it.
