"""The browser's database: what an earlier version of the tables holds is taken over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browser import BROWSER, DRIVER, MISSING, Page
from numpy.typing import NDArray
from selenium.webdriver import Chrome

from voiceprint.web.assets import find_runtime

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)

# The first version had no table of accepted recordings.
COPY_TO_FIRST = """const { Verifier } = await import('/voiceprint-web.js');
    const [runtime, clips] = values;
    const clip = (numbers) => ({ samples: Float32Array.from(numbers), sample_rate: 16000 });
    const open = (store) => Verifier.open({ model: '/model', runtime, store });
    const asked = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const now = await open('now');
    await now.enroll('ada', clips.slice(0, 3).map(clip));
    await now.store.optOut('bert');
    const tables = ['header', 'people', 'opt_outs'];
    const opening = indexedDB.open('then', 1);
    opening.onupgradeneeded = () => tables.forEach((table) => opening.result.createObjectStore(table));
    const then = await asked(opening);
    for (const table of tables) {
        const from = () => now.store.backend.database.transaction(table).objectStore(table);
        const [keys, rows] = [await asked(from().getAllKeys()), await asked(from().getAll())];
        const to = then.transaction(table, 'readwrite').objectStore(table);
        await Promise.all(keys.map((key, place) => asked(to.put(rows[place], key))));
    }
    then.close();
    const verifier = await open('then');
    const told = [await verifier.verify('ada', clip(clips[3])), await verifier.verify('ada', clip(clips[3]))];
    return {
        version: verifier.store.backend.database.version,
        names: await verifier.speakers(),
        opted_out: (await verifier.store.optOuts()).map(({ name }) => name),
        decisions: told.map(({ decision }) => decision),
    };"""


def test_a_store_of_the_first_version_goes_on_as_one_of_the_second(
    driver: Chrome, library: str, voice: Callable[..., NDArray[np.float32]]
) -> None:
    driver.set_script_timeout(600)
    driver.get(f"{library}/blank.html")
    clips = [voice("ada", number, 2.0).tolist() for number in range(4)]
    found: dict[str, Any] = Page(driver, library).run(
        COPY_TO_FIRST, f"{library}/{find_runtime().name}", clips
    )
    assert found == {
        "version": 2,
        "names": ["ada"],
        "opted_out": ["bert"],
        "decisions": ["accepted", "replayed"],
    }
