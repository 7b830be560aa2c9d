/** Where the page's questions are answered: here, in a worker of this tab. The server's page has its own `home.js`. */

import { openInWorker, type RemoteVerifier } from "../worker/client.ts";
import { TabSocket } from "./listening.ts";
import { problemOf } from "./problems.ts";
import { access, answerOf, type Body, needsNoEngine } from "./routes.ts";

export { problemOf }; // where the engine's errors are known by their class

const STORE = "voiceprint";
const INSTALLING = 120_000; // ms; a browser that installs nothing loads the engine all the same

/** The engine, loaded once when it is first asked. */
let engine: Promise<RemoteVerifier> | null = null;

/** Load the engine; what failed is tried again. */
export function loadEngine(): Promise<RemoteVerifier> {
  engine ??= open().catch((error: unknown) => {
    engine = null;
    throw error;
  });
  return engine;
}

async function open(): Promise<RemoteVerifier> {
  await installed();
  const worker = new Worker(new URL("engine.js", import.meta.url), { type: "module" });
  const at = (path: string) => new URL(path, import.meta.url).href;
  return openInWorker(worker, { model: at("model/"), runtime: at("ort-wasm-simd-threaded.wasm"), store: STORE });
}

/** Wait for the service worker, so that everything is fetched once, and is there without a network. */
async function installed(): Promise<void> {
  const { serviceWorker } = navigator;
  if (!serviceWorker || serviceWorker.controller) return;
  const controlled = new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
  const failed = serviceWorker.register(new URL("sw.js", import.meta.url)).then(
    () => new Promise(() => {}),
    () => {},
  );
  await Promise.race([controlled, failed, new Promise((resolve) => setTimeout(resolve, INSTALLING))]);
}

/** Answer a request as the server would: `fetch`, without a network. */
export async function answer(path: string, { method = "GET", body, signal }: { method?: string; body?: Body; signal?: AbortSignal } = {}): Promise<Response> {
  const found = await Promise.race([answered(method, path, body), aborted(signal)]);
  return found === undefined || found === null ? new Response(null, { status: 204 }) : found instanceof Response ? found : Response.json(found);
}

async function answered(method: string, path: string, body: Body): Promise<unknown> {
  try {
    return needsNoEngine(path) ? access() : await answerOf(await loadEngine(), method, path, body);
  } catch (error) {
    const problem = problemOf(error);
    return Response.json(problem, { status: problem.status });
  }
}

function aborted(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

/** Open what a WebSocket to the server would be. */
export function listen(): TabSocket {
  return new TabSocket(loadEngine());
}
