"""Scripts that run in a page and whose promises are waited for."""

from __future__ import annotations

from typing import Any


def run_script(driver: Any, script: str, *values: object) -> Any:
    """Run a script in the page that a driver shows; its `values` are these.

    Parameters
    ----------
    driver : selenium.webdriver.Chrome
    script : str
        The body of an asynchronous function.

    Raises
    ------
    RuntimeError
        With the error that the script ended by.
    """
    wrapped = f"""const values = [...arguments], done = values.pop();
        (async () => {{ {script} }})()
            .then((value) => done([value, null]), (error) => done([null, String(error.stack)]));"""
    value, error = driver.execute_async_script(wrapped, *values)
    if error is not None:
        raise RuntimeError(error)
    return value
