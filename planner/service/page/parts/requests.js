// Requests to the server, and their errors.

const byId = (id) => document.getElementById(id);

/** A response that is an error, with the server's message. */
class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** An address of this server, without a password that the page's own address may have. */
function addressOf(path) {
  const address = new URL(path, document.baseURI);
  address.username = address.password = "";
  return address;
}

/** The response of the server; throws Refused, and AbortError if the request was aborted. */
async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(addressOf(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer.", 0);
  }
  if (response.ok) return response;
  let message = `The server answers with status ${response.status}.`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // not an error in this program's own format: only the status is known
  }
  throw new Refused(message, response.status);
}

/** The message as a sentence, with a capital and a full stop. */
const sentence = (words) =>
  `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;

/** A new element with attributes and children; a string is text, never markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children.filter((one) => one !== null));
  return made;
}
