/**
 * Keeps the site's files in the browser, so that it works without a network, and lets nothing else through: of
 * whatever the page asks the network, it gets the site's own files or nothing.
 *
 * `voiceprint web build` puts a line before this script that sets `BUILD`.
 */

declare const self: ServiceWorkerGlobalScope & { BUILD: { version: string; files: string[]; bytes: number } };

const { version, files, bytes } = self.BUILD;
const CACHE = `voiceprint-${version}`;
const address = (file: string) => new URL(file, self.registration.scope).href;
const KEPT = new Set(["./", ...files].map(address));

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  let done = 0;
  for (const file of files) {
    const response = await fetch(address(file));
    if (!response.ok) throw new Error(`${file}: ${response.status}`);
    const content = await response.arrayBuffer();
    // Its kind alone: how it was packed on the way says nothing about what is kept.
    const kind = response.headers.get("Content-Type") ?? "application/octet-stream";
    await cache.put(address(file), new Response(content, { headers: { "Content-Type": kind } }));
    done += content.byteLength;
    await tell({ done, total: bytes });
  }
}

async function activate(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith("voiceprint-") && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request: Request): Promise<Response> {
  const { origin, pathname } = new URL(request.url);
  const wanted = origin + pathname;
  if (request.method !== "GET" || !KEPT.has(wanted)) return Response.error();
  const file = wanted === address("./") ? address("index.html") : wanted;
  return (await (await caches.open(CACHE)).match(file)) ?? fetch(request);
}

/** Say to the pages how far the download is. */
async function tell(progress: { done: number; total: number }): Promise<void> {
  for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage(progress);
}

export {};
