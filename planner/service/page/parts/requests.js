// What is asked of the server, and how its errors are told.

const byId = (id) => document.getElementById(id);

/** An answer that is an error: what the server said of it. */
class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** An address of this server; without a password that may stand in the page's own. */
function addressOf(path) {
  const address = new URL(path, document.baseURI);
  address.username = address.password = "";
  return address;
}

/** An answer of the server; throws Refused, and AbortError where it is no longer wanted. */
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
    // not one of this program's own errors: the status is all there is to say
  }
  throw new Refused(message, response.status);
}

/** What the server said, with a capital and a full stop. */
const sentence = (words) =>
  `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;

/** A new element with its attributes and what it holds; texts are texts, never markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children.filter((one) => one !== null));
  return made;
}
