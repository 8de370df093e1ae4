// All tests that run alike in Node and in a browser.
import "./connect.js";
import "./messages.js";
import "./resume.js";
import "./request.js";
import "./buffer.js";
import "./comeback.js";
import "./link.js";

export { run } from "./kit.js";
