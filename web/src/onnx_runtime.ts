/** onnxruntime-web on one thread with SIMD; nothing else imports it. */

import * as ort from "onnxruntime-web/wasm";
import { VoiceprintError } from "./errors.ts";

/** Numbers with their shape. */
export interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** A network that was loaded. */
export interface Network {
  readonly inputs: readonly string[];
  /** Run it; returns the outputs by name. */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Float32Array>>;
}

/** Give numbers a shape. */
export function tensor(data: Float32Array, dims: readonly number[]): Tensor {
  return { data, dims };
}

/**
 * Say where the runtime's WebAssembly lies; before the first network is loaded.
 *
 * @param wasm Address of `ort-wasm-simd-threaded.wasm`.
 */
export function useRuntime(wasm: string | URL): void {
  ort.env.wasm.wasmPaths = { wasm: String(wasm) };
}

/** Load a network from an ONNX file. */
export async function openNetwork(file: Uint8Array): Promise<Network> {
  ort.env.wasm.numThreads = 1; // more would need headers that static hosts do not send
  ort.env.logLevel = "error";
  try {
    const session = await ort.InferenceSession.create(file, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "extended",
      // Lengths differ from call to call, so remembered memory patterns and a growing arena only hold memory.
      enableMemPattern: false,
      enableCpuMemArena: false,
      // Weights in 8 bits become floats once, when they are loaded, and not in each call.
      extra: { session: { disable_quant_qdq: "1" } },
    });
    return { inputs: session.inputNames, run: (feeds) => run(session, feeds) };
  } catch (error) {
    throw new VoiceprintError("model", `the model cannot be loaded: ${said(error)}`);
  }
}

async function run(session: ort.InferenceSession, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Float32Array>> {
  const given = Object.entries(feeds).map(([name, { data, dims }]) => [name, new ort.Tensor("float32", data, dims)] as const);
  try {
    const found = await session.run(Object.fromEntries(given));
    // Copies: the runtime's own memory is used again by the next call.
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Float32Array.from(value.data as Float32Array)]));
  } catch (error) {
    throw new VoiceprintError("model", `the model cannot be run: ${said(error)}`);
  }
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));
