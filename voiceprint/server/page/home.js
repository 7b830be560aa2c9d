// Where the page's questions are answered: by the server it came from. The site for a browser alone has its own.

/** Ask; the arguments and the answer are those of `fetch`. */
export const answer = (path, options) => fetch(path, options);

/** Open a connection on which it is listened while somebody speaks. */
export function listen(protocols) {
  const url = new URL("/v1/listen", location.href);
  url.protocol = location.protocol.replace("http", "ws");
  return new WebSocket(url, protocols);
}
