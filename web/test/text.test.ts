import assert from "node:assert/strict";
import { test } from "node:test";

import { fixed, general, signed } from "../src/text.ts";

test("numbers are written as Python writes them", () => {
  const wanted: [number, number, string][] = [
    [1.25, 1, "1.2"], [1.75, 1, "1.8"], [0.35, 1, "0.3"], [2.5, 0, "2"], [3.5, 0, "4"], [-2.5, 0, "-2"], [0.125, 2, "0.12"],
    [1.005, 2, "1.00"], [-0.25, 1, "-0.2"], [7, 1, "7.0"],
  ];
  for (const [value, digits, text] of wanted) assert.equal(fixed(value, digits), text);
  assert.deepEqual([general(0.5), general(3), general(100 / 3), signed(2.25), signed(-0.04)], ["0.5", "3", "33.3333", "+2.2", "-0.0"]);
});
