"""The page: controls on the left, what follows on the right."""

import marimo

app = marimo.App(width="medium", app_title="tradelift explore")


@app.cell
def _():
    import time

    import marimo as mo

    from tradelift.explore.page import Page

    return Page, mo, time


@app.cell
def _(Page, mo):
    page = Page.of(mo.cli_args())
    choices = page.session.choices
    return choices, page


@app.cell
def _(choices, mo, page):
    design = mo.ui.dropdown(options=list(choices.designs), value=choices.designs[0], label="Design")
    outcome = mo.ui.dropdown(options=choices.models, value=page.first_model, label="Outcome")
    direction = mo.ui.dropdown(options=choices.directions, value=next(iter(choices.directions)), label="Direction")
    bandwidth = mo.ui.slider(
        steps=choices.bandwidths_km,
        value=choices.bandwidth_km,
        label="Bandwidth, km",
        debounce=True,
        show_value=True,
    )
    types = mo.ui.dictionary({words: mo.ui.checkbox(value=True, label=words) for words in choices.control_types})
    errors = mo.ui.dropdown(options=list(choices.errors), value=page.first_errors, label="Errors")
    return bandwidth, design, direction, errors, outcome, types


@app.cell
def _(bandwidth, choices, design, direction, errors, mo, outcome, page, types):
    def row(*what: object) -> object:
        return mo.hstack(what, wrap=True, justify="start", align="end", gap=1.5)

    controls = [design, outcome, direction, *([bandwidth] if page.has_bandwidth(design.value) else []), errors]
    kinds = [row("Control pairs", *types.values())] if choices.control_types else []
    mo.vstack([mo.md(f"## {page.title}"), row(*controls), *kinds])
    return


@app.cell
def _(bandwidth, choices, design, direction, errors, outcome, page, types):
    choice = page.choice(
        design=design.value,
        model=outcome.value,
        direction=direction.value,
        bandwidth_km=bandwidth.value,
        control_types=[choices.control_types[words] for words, chosen in types.value.items() if chosen],
        vcov=errors.value,
    )
    return (choice,)


@app.cell
def _(choice, mo, page, time):
    answer = page.answer(choice)

    def show() -> None:
        mo.output.replace(mo.Html(page.beside(answer, page.curve(choice))))

    def follow() -> None:
        # the other bandwidths take longer than the answer: the page does not wait for them
        shown = time.monotonic()
        while page.extend(choice):
            if mo.current_thread().should_exit:
                return
            if time.monotonic() - shown > 0.5 or page.is_whole(choice):
                show()
                shown = time.monotonic()
        page.begin_beside()
        while not mo.current_thread().should_exit and page.prepare(choice):
            pass  # while the user looks at this choice, the next ones are estimated

    show()
    mo.Thread(target=follow, daemon=True).start()
    return


@app.cell
def _(choice, mo, page):
    mo.Html(page.map(choice))
    return


if __name__ == "__main__":
    app.run()
