"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const REACH = 16; // pixels on the screen from which a place is pointed at
  const MOST_CALLED = 12; // partners whose names stand on the map

  function add(parent, tag, text, attributes = {}) {
    const element = parent.appendChild(document.createElement(tag));
    if (text) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  function fact(list, name, value) {
    add(list, "dt", name);
    add(list, "dd", value);
  }

  /* The map: pointing at a place shows its lines; choosing it, by a click or in the list, shows its numbers. */
  function map(figure, data) {
    const svg = figure.querySelector(".canvas svg");
    const ground = svg.querySelector(".cities");
    const arcs = svg.querySelector(".arcs").children;
    const canvas = figure.querySelector(".canvas");
    const box = figure.querySelector(".explore");
    const select = box.querySelector("select");
    const said = box.querySelector("[role=status]");
    const hint = said.textContent;
    const about = box.querySelector(".about");
    const clear = box.querySelector("button");
    const called = ground.parentNode.appendChild(document.createElementNS(SVG, "g"));
    called.setAttribute("class", "called");
    const tip = add(canvas, "p", "", { class: "tip", "aria-hidden": "true" });
    const marks = new Map();
    for (const mark of svg.querySelectorAll(".city")) {
      const of = (name) => Number(mark.getAttribute(name));
      const isCircle = mark.tagName === "circle";
      const x = isCircle ? of("cx") : of("x") + of("width") / 2;
      const y = isCircle ? of("cy") : of("y") + of("height") / 2;
      marks.set(of("data-i"), { mark, x, y });
    }
    const ties = data.places.map(() => []);
    data.links.forEach(([first, second, kind, amounts], line) => {
      ties[first].push({ other: second, line, kind, to: amounts[0], from: amounts[1] });
      ties[second].push({ other: first, line, kind, to: amounts[1], from: amounts[0] });
    });
    let chosen = null;

    const both = (place) => (place[1] ? `${place[0]} ${place[1]}` : place[0]);
    const sides = new Map(data.kinds.map((kind, k) => [k, add(select, "optgroup", "", { label: kind })]));
    data.places
      .map((place, i) => [place, i])
      .sort(([a], [b]) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))
      .forEach(([place, i]) => add(sides.get(place[3]), "option", both(place), { value: i }));
    for (const group of sides.values()) if (!group.children.length) group.remove();

    function light(i) {
      svg.classList.toggle("asked", i !== null);
      for (const { mark } of marks.values()) mark.classList.remove("on", "near");
      for (const arc of arcs) arc.classList.remove("on");
      called.replaceChildren();
      if (i === null) return;
      call(i);
      if (marks.has(i)) marks.get(i).mark.classList.add("on");
      for (const tie of ties[i]) {
        arcs[tie.line].classList.add("on");
        if (marks.has(tie.other)) marks.get(tie.other).mark.classList.add("near");
        if (ties[i].length <= MOST_CALLED) call(tie.other);
      }
    }

    function call(i) {
      if (!marks.has(i)) return;
      const { x, y } = marks.get(i);
      const isRight = x > svg.viewBox.baseVal.width * 0.8;
      const name = called.appendChild(document.createElementNS(SVG, "text"));
      name.textContent = data.places[i][0];
      name.setAttribute("x", isRight ? x - 8 : x + 8);
      name.setAttribute("y", y + 4);
      name.setAttribute("text-anchor", isRight ? "end" : "start");
      const box = name.getBBox();
      const hides = (other) => {
        const o = other.getBBox();
        return o.x < box.x + box.width && box.x < o.x + o.width && o.y < box.y + box.height && box.y < o.y + o.height;
      };
      if ([...called.children].some((other) => other !== name && hides(other))) name.remove();
    }

    function choose(i) {
      chosen = i;
      light(i);
      select.value = i === null ? "" : String(i);
      clear.hidden = i === null;
      about.replaceChildren();
      if (i === null) {
        said.textContent = hint;
        return;
      }
      const [name, others, group, kind, amounts] = data.places[i];
      const of = ties[i].length;
      said.textContent = `${both(data.places[i])}: ${of} ${data.ties[of === 1 ? 0 : 1]} on the map.`;
      add(about, "p", name, { class: "name" });
      if (others) add(about, "p", others, { class: "other" });
      add(about, "p", [group, data.kinds[kind]].filter((part) => part && part !== name).join(", "));
      if (amounts.length) {
        add(about, "p", data.unit, { class: "unit" });
        const list = add(about, "dl");
        data.measures.forEach((measure, m) => fact(list, measure, amounts[m]));
      }
      if (of) partners(ties[i]);
    }

    function partners(own) {
      const table = add(add(about, "div", "", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Partners" }), "table");
      const head = add(add(table, "thead"), "tr");
      for (const text of own[0].to ? ["Partner", "sold to it", "bought from it"] : ["Partner"]) add(head, "th", text, { scope: "col" });
      const body = add(table, "tbody");
      for (const tie of own) {
        const row = add(body, "tr");
        const button = add(add(row, "th", "", { scope: "row" }), "button", data.places[tie.other][0], { type: "button" });
        button.addEventListener("click", () => {
          choose(tie.other);
          select.focus();
        });
        if (tie.to) {
          add(row, "td", tie.to);
          add(row, "td", tie.from);
        }
      }
    }

    function pointed(event) {
      const matrix = ground.getScreenCTM();
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
      let best = null;
      let least = (REACH / matrix.a) ** 2;
      for (const [i, { x, y }] of marks) {
        const distance = (x - at.x) ** 2 + (y - at.y) ** 2;
        if (distance < least) [best, least] = [i, distance];
      }
      return best;
    }

    function hover(event) {
      const i = event.pointerType === "touch" ? null : pointed(event);
      svg.classList.toggle("pointing", i !== null);
      tip.classList.toggle("seen", i !== null);
      light(i ?? chosen);
      if (i === null) return;
      const frame = canvas.getBoundingClientRect();
      tip.textContent = [both(data.places[i]), data.places[i][2]].filter(Boolean).join(" · ");
      const left = event.clientX - frame.left;
      tip.style.left = `${Math.max(0, Math.min(left + 12, frame.width - tip.offsetWidth))}px`;
      tip.style.top = `${event.clientY - frame.top + 16}px`;
    }

    svg.addEventListener("pointermove", hover);
    svg.addEventListener("pointerleave", () => {
      tip.classList.remove("seen");
      light(chosen);
    });
    svg.addEventListener("click", (event) => choose(pointed(event)));
    select.addEventListener("change", () => choose(select.value === "" ? null : Number(select.value)));
    clear.addEventListener("click", () => {
      choose(null);
      select.focus();
    });
    figure.addEventListener("keydown", (event) => {
      if (event.key === "Escape") choose(null);
    });
    figure.querySelector(".map").classList.add("live");
    box.hidden = false;
  }

  /* Curves along a choice: the slider marks a point in every panel, and says that of the curve that is chosen. */
  function curve(figure, data) {
    const drawn = figure.querySelectorAll("svg .points");
    const groups = data.panels.map((panel) => drawn[panel.place]);
    const fits = (panel, p) => groups[p].children.length === panel.points.length;
    if (drawn.length !== data.panels.length || !data.panels.every(fits)) return;
    const box = figure.querySelector(".explore");
    const range = box.querySelector("input");
    const output = box.querySelector("output");
    const select = box.querySelector("select");
    const list = box.querySelector("dl");
    const said = box.querySelector("[role=status]");
    const values = [...new Set(data.panels.flatMap((panel) => panel.points.map(([x]) => x)))].sort((a, b) => a - b);
    data.panels.forEach((panel, p) => add(select, "option", `${panel.row}, ${panel.column}`, { value: p }));
    range.max = values.length - 1;
    range.value = Math.max(0, values.indexOf(data.start));

    function show() {
      const x = values[range.value];
      const words = `${x} ${data.unit}`.trim();
      output.textContent = words;
      range.setAttribute("aria-valuetext", words);
      list.replaceChildren();
      data.panels.forEach((panel, p) => {
        panel.points.forEach(([at, facts], n) => {
          const isHere = at === x;
          groups[p].children[n].classList.toggle("here", isHere);
          groups[p].children[n].classList.toggle("chosen", isHere && p === Number(select.value));
          if (isHere && p === Number(select.value)) facts.forEach(([name, value]) => fact(list, name, value));
        });
      });
      if (!list.children.length) fact(list, words, "not estimated");
      said.textContent = `${words}: ${[...list.children].slice(0, 4).map((part) => part.textContent).join(" ")}`;
    }

    range.addEventListener("input", show);
    select.addEventListener("change", show);
    box.hidden = false;
    show();
  }

  for (const holder of document.querySelectorAll("script[type='application/json']")) {
    const data = JSON.parse(holder.textContent);
    (data.kind === "map" ? map : curve)(holder.closest("figure"), data);
  }

  /* The contents follow the reader. */
  const links = new Map([...document.querySelectorAll(".wide-only a")].map((a) => [a.getAttribute("href").slice(1), a]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(entry.target.getAttribute("aria-labelledby"))?.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-20% 0px -70% 0px" },
  );
  for (const section of document.querySelectorAll(".exhibit")) seen.observe(section);

  /* Paper has no folds but those that would fill it. */
  const folds = document.querySelectorAll("details:not(.rest, .long, .narrow-only details)");
  let shut = [];
  addEventListener("beforeprint", () => {
    shut = [...folds].filter((fold) => !fold.open);
    for (const fold of shut) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of shut) fold.open = false;
  });
})();
