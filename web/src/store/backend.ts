/** Where a store keeps its rows: in memory, or in IndexedDB. A change is made whole or not at all. */

import { VoiceprintError } from "../errors.ts";

/** The tables of a store. */
export const TABLES = ["header", "people", "opt_outs", "recordings"] as const;
export type Table = (typeof TABLES)[number];

const VERSION = 2; // of the tables

/** The rows within one transaction. */
export interface Rows {
  get<Row>(table: Table, key: string): Promise<Row | undefined>;
  all<Row>(table: Table): Promise<Row[]>;
  keys(table: Table): Promise<string[]>;
  put(table: Table, key: string, row: unknown): void;
  delete(table: Table, key: string): void;
}

/** Keeps rows. */
export interface Backend {
  /** Do some work in one transaction; it may await nothing but rows. What throws leaves all as it was. */
  run<Result>(mode: "readonly" | "readwrite", work: (rows: Rows) => Promise<Result>): Promise<Result>;
  close(): void;
}

/** Rows that are gone when the tab is closed. */
export class MemoryBackend implements Backend {
  #tables = new Map<Table, Map<string, unknown>>(TABLES.map((table) => [table, new Map()]));
  #busy: Promise<unknown> = Promise.resolve();

  run<Result>(_mode: "readonly" | "readwrite", work: (rows: Rows) => Promise<Result>): Promise<Result> {
    const next = this.#busy.then(async () => {
      const copy = new Map([...this.#tables].map(([table, rows]) => [table, new Map(rows)]));
      const found = await work(memoryRows(copy));
      this.#tables = copy;
      return found;
    });
    this.#busy = next.catch(() => {});
    return next;
  }

  close(): void {
    this.#tables.clear();
  }
}

function memoryRows(tables: Map<Table, Map<string, unknown>>): Rows {
  const of = (table: Table) => tables.get(table) ?? new Map<string, unknown>();
  const sorted = (table: Table) => [...of(table)].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    get: async <Row>(table: Table, key: string) => of(table).get(key) as Row | undefined,
    all: async <Row>(table: Table) => sorted(table).map(([, row]) => row as Row),
    keys: async (table) => sorted(table).map(([key]) => key),
    put: (table, key, row) => void of(table).set(key, row),
    delete: (table, key) => void of(table).delete(key),
  };
}

/** Rows in the browser's database. */
export class IndexedDbBackend implements Backend {
  private constructor(readonly database: IDBDatabase) {}

  /** Open a database, which is made if there is none. */
  static async open(name: string): Promise<IndexedDbBackend> {
    const opening = indexedDB.open(name, VERSION);
    opening.onupgradeneeded = () => {
      const missing = TABLES.filter((table) => !opening.result.objectStoreNames.contains(table));
      for (const table of missing) opening.result.createObjectStore(table);
    };
    const database = await answered(opening);
    database.onversionchange = () => database.close(); // who deletes it, or has a newer page, need not wait
    return new IndexedDbBackend(database);
  }

  async run<Result>(mode: "readonly" | "readwrite", work: (rows: Rows) => Promise<Result>): Promise<Result> {
    let transaction: IDBTransaction;
    try {
      transaction = this.database.transaction(TABLES, mode, { durability: "strict" });
    } catch (error) {
      throw storeError(error);
    }
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(storeError(transaction.error));
    });
    try {
      const found = await work(databaseRows(transaction));
      transaction.commit();
      await done;
      return found;
    } catch (error) {
      done.catch(() => {}); // the first error is the one to tell
      if (!(error instanceof VoiceprintError && error.code.startsWith("store"))) transaction.abort();
      throw error;
    }
  }

  close(): void {
    this.database.close();
  }
}

function databaseRows(transaction: IDBTransaction): Rows {
  const of = (table: Table) => transaction.objectStore(table);
  return {
    get: <Row>(table: Table, key: string) => answered(of(table).get(key) as IDBRequest<Row | undefined>),
    all: <Row>(table: Table) => answered(of(table).getAll() as IDBRequest<Row[]>),
    keys: (table) => answered(of(table).getAllKeys() as IDBRequest<string[]>),
    put: (table, key, row) => void of(table).put(row, key),
    delete: (table, key) => void of(table).delete(key),
  };
}

function answered<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(storeError(request.error));
  });
}

function storeError(error: unknown): VoiceprintError {
  if (error instanceof DOMException && error.name === "QuotaExceededError") {
    return new VoiceprintError("store_full", "the browser gives this page no more room");
  }
  return new VoiceprintError("store", `the browser's database cannot be used: ${error instanceof Error ? error.message : String(error)}`);
}
