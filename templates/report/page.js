"use strict";
(() => {
  const { file, printed, layers } = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("panel");
  const graph = document.getElementById("graph");
  const svg = graph && graph.querySelector("svg.net");
  const table = document.getElementById("table");
  const rows = table.tBodies[0];
  const search = document.getElementById("search");
  const hits = document.getElementById("hits");
  const hint = panel.innerHTML;
  const inBox = new Map();
  for (const layer of layers) {
    if (layer.box !== null) inBox.set(layer.box, [...(inBox.get(layer.box) || []), layer.index]);
  }
  const box = (layer) => layer.box !== null && document.getElementById(`box-${layer.box}`);
  let chosen = null;
  let move = null;

  // Elements are made with text alone: names are of strangers' files.
  function el(tag, values, ...inner) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(values || {})) {
      if (value !== null && value !== false) made.setAttribute(name, value);
    }
    made.append(...inner.filter((one) => one !== null));
    return made;
  }

  const number = (value) => (value === null ? "?" : value.toLocaleString("en"));
  const name = (index) => layers[index].name || "(no name)";
  const link = (index) =>
    el("a", { href: `#layer-${index}`, "data-layer": index, "aria-current": index === chosen && "true" },
      name(index));

  function part(title, ...inner) {
    return inner.length ? [el("h4", {}, title), ...inner] : [];
  }

  function pairs(list) {
    return el("dl", {}, ...list.flatMap(([key, value, usual]) =>
      [el("dt", { class: usual && "usual" }, key), el("dd", { class: usual && "usual" }, value)]));
  }

  function chips(list) {
    return list.length ? [el("div", { class: "chips" }, ...list.map(link))] : [];
  }

  function show(layer) {
    const close = el("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
    close.addEventListener("click", clear);
    const facts = [
      ["makes", layer.tops.map((top, at) => `${top}  ${layer.shapes[at]}`).join(", ") || "nothing"],
      ["reads", layer.bottoms.join(", ") || "nothing"],
    ];
    if (layer.weights.length) facts.push(["weights", layer.weights.join(", ")]);
    if (layer.parameters !== 0) facts.push(["parameters", number(layer.parameters)]);
    if (layer.statistics) facts.push(["statistics", number(layer.statistics)]);
    if (layer.multiply_adds !== 0) facts.push(["multiply-adds", number(layer.multiply_adds)]);
    if (layer.reason) facts.push(["not known", layer.reason]);
    const fates = { kept: "as it is", changed: "changed", refused: "refused", behind: "not known" };
    facts.push(["conversion", fates[layer.fate.what] + (layer.fate.words && `: ${layer.fate.words}`)]);
    const together = layer.box === null ? [] : inBox.get(layer.box);
    const where = layer.line === null ? file : `${file}, line ${layer.line}${printed ? " of its text" : ""}`;
    const found = layer.findings.map(([at, severity, words]) =>
      el("li", {}, el("a", { href: `#finding-${at}` }, severity), `: ${words}`));
    panel.replaceChildren(
      close,
      el("h3", {}, layer.name || "(no name)"),
      el("div", { class: "type" }, `${layer.type}, layer ${layer.index + 1} of ${layers.length}`),
      ...part("Blobs and cost", pairs(facts)),
      ...(found.length ? part("Findings", el("ul", {}, ...found)) : []),
      ...(layer.settings.length ? part("Parameters, defaults pale", pairs(layer.settings)) : []),
      ...part("Reads from", ...chips(layer.before)),
      ...part("Read by", ...chips(layer.after)),
      ...(layer.text.length ? part(where, el("pre", { tabindex: "0" }, layer.text.join("\n"))) : []),
      ...(together.length > 1 ? part("Shown by the same box", ...chips(together.slice(0, 60))) : []),
    );
    panel.scrollTop = 0;
  }

  function unmark() {
    for (const one of document.querySelectorAll(".chosen, .near")) one.classList.remove("chosen", "near");
    for (const one of rows.querySelectorAll("[aria-selected]")) one.removeAttribute("aria-selected");
  }

  function choose(index, { pan = true, scroll = false } = {}) {
    const layer = layers[index];
    if (!layer) return;
    chosen = index;
    unmark();
    const found = box(layer);
    if (found) {
      found.classList.add("chosen");
      for (const end of ["from", "to"]) {
        for (const one of svg.getElementsByClassName(`${end}-${layer.box}`)) one.classList.add("near");
      }
      if (pan) centre(found);
    }
    const row = document.getElementById(`layer-${index}`);
    row.setAttribute("aria-selected", "true");
    focusable(row);
    show(layer);
    history.replaceState(null, "", `#layer-${index}`);
    if (scroll) (graph || panel).scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  function clear() {
    chosen = null;
    unmark();
    panel.innerHTML = hint;
    history.replaceState(null, "", location.pathname + location.search);
  }

  // Where a box is among the others; svg-pan-zoom moves them a frame later than it is asked to.
  function middle(found) {
    const inside = found.getBBox();
    const at = new DOMPoint(inside.x + inside.width / 2, inside.y + inside.height / 2);
    const around = svg.querySelector(".svg-pan-zoom_viewport").getCTM();
    return at.matrixTransform(around.inverse().multiply(found.getCTM()));
  }

  function centre(found, height = 0.5) {
    const { realZoom, width, height: tall } = move.getSizes();
    const at = middle(found);
    move.pan({ x: width / 2 - at.x * realZoom, y: tall * height - at.y * realZoom });
  }

  if (svg) {
    const view = svg.getAttribute("viewBox");
    move = svgPanZoom(svg, {
      viewportSelector: ".none", fit: true, center: true, minZoom: 0.4, maxZoom: 1000,
      zoomScaleSensitivity: 0.25, dblClickZoomEnabled: false, mouseWheelZoomEnabled: false,
    });
    const all = () => move.resize().fit().center();
    // A deep net begins at a size that can be read, at its top.
    const begin = () => {
      all();
      const { realZoom } = move.getSizes();
      const first = svg.querySelector(".node");
      if (first && (realZoom < 0.8 || realZoom > 1.6)) {
        move.zoom((move.getZoom() * (realZoom < 0.8 ? 1.1 : 1.6)) / realZoom);
        if (realZoom < 0.8) centre(first, 0.08);
        else move.center();
      }
    };
    begin();
    new ResizeObserver(() => move.resize()).observe(graph);
    let down = null;
    svg.addEventListener("pointerdown", (event) => (down = [event.clientX, event.clientY]), true);
    svg.addEventListener("click", (event) => {
      graph.focus({ preventScroll: true });
      if (down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return;
      const node = event.target.closest(".node");
      const inside = node && inBox.get(node.id.slice(4));
      if (inside) choose(inside[0], { pan: false });
    });
    graph.addEventListener("focusin", () => move.enableMouseWheelZoom());
    graph.addEventListener("focusout", () => move.disableMouseWheelZoom());
    const actions = { in: () => move.zoomIn(), out: () => move.zoomOut(), all };
    for (const one of graph.querySelectorAll("[data-zoom]")) {
      one.addEventListener("click", actions[one.dataset.zoom]);
    }
    const keys = {
      ArrowUp: () => move.panBy({ x: 0, y: 60 }), ArrowDown: () => move.panBy({ x: 0, y: -60 }),
      ArrowLeft: () => move.panBy({ x: 60, y: 0 }), ArrowRight: () => move.panBy({ x: -60, y: 0 }),
      "+": actions.in, "=": actions.in, "-": actions.out, 0: all,
    };
    graph.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
    addEventListener("beforeprint", () => svg.setAttribute("viewBox", view));
    addEventListener("afterprint", () => svg.removeAttribute("viewBox"));
  }

  document.addEventListener("click", (event) => {
    const found = event.target.closest("a[data-layer]");
    if (!found) return;
    event.preventDefault();
    choose(Number(found.dataset.layer), { scroll: true });
  });

  // The table: one row takes the focus, arrows move it, a head sorts.
  function focusable(row) {
    for (const one of rows.querySelectorAll('[tabindex="0"]')) one.tabIndex = -1;
    row.tabIndex = 0;
  }
  rows.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) choose(Number(row.dataset.layer));
  });
  rows.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const to = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling,
      Home: rows.firstElementChild, End: rows.lastElementChild }[event.key];
    if (to) {
      event.preventDefault();
      focusable(to);
      to.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(Number(row.dataset.layer), { scroll: event.key === "Enter" });
    }
  });
  for (const head of table.tHead.rows[0].cells) {
    head.firstElementChild.addEventListener("click", () => {
      const at = head.cellIndex;
      const up = head.getAttribute("aria-sort") !== "ascending";
      const numeric = rows.rows[0] && rows.rows[0].cells[at].dataset.value !== undefined;
      const value = (row) => numeric ? Number(row.cells[at].dataset.value) : row.cells[at].textContent;
      const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en", { numeric: true });
      const sorted = [...rows.rows].map((row) => [value(row), row]);
      sorted.sort(([a], [b]) => (up ? compare(a, b) : compare(b, a)));
      rows.append(...sorted.map(([, row]) => row));
      for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    });
  }

  // The search: what fits is listed, and the picture pales around it.
  let list = [];
  let at = 0;
  function look() {
    const words = search.value.trim().toLowerCase();
    const fits = (text) => text.toLowerCase().includes(words);
    list = words ? layers.filter((one) => [one.name, one.type, ...one.tops].some(fits)) : [];
    const exact = (one) => Number(one.name.toLowerCase() === words);
    list.sort((one, other) => exact(other) - exact(one));
    at = 0;
    if (svg) {
      svg.classList.toggle("searched", words !== "");
      for (const one of svg.querySelectorAll(".hit")) one.classList.remove("hit");
      for (const one of list) if (box(one)) box(one).classList.add("hit");
    }
    hits.replaceChildren(...list.slice(0, 12).map((one, index) => {
      const item = el("li", { role: "option", id: `hit-${index}` }, el("span", {}, one.type), one.name);
      item.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        take(index);
      });
      return item;
    }), ...(list.length > 12 ? [el("li", { class: "note" }, `and ${list.length - 12} more`)] : []),
    ...(words && !list.length ? [el("li", { class: "note" }, "nothing fits")] : []));
    hits.hidden = !words;
    search.setAttribute("aria-expanded", String(!hits.hidden));
    mark();
  }
  function mark() {
    [...hits.children].forEach((one, index) => one.setAttribute("aria-selected", String(index === at)));
    if (list.length) search.setAttribute("aria-activedescendant", `hit-${at}`);
    else search.removeAttribute("aria-activedescendant");
  }
  function take(index) {
    if (!list[index]) return;
    hits.hidden = true;
    choose(list[index].index, { scroll: true });
  }
  search.addEventListener("input", look);
  search.addEventListener("focus", look);
  search.addEventListener("blur", () => (hits.hidden = true));
  search.addEventListener("keydown", (event) => {
    const most = Math.min(list.length, 12);
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && most) {
      event.preventDefault();
      at = (at + (event.key === "ArrowDown" ? 1 : most - 1)) % most;
      mark();
    } else if (event.key === "Enter") take(at);
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape") {
      if (typing && search.value) {
        search.value = "";
        look();
      } else {
        if (typing) search.blur();
        clear();
      }
    }
  });

  function byHash() {
    const found = /^#layer-(\d+)$/.exec(location.hash);
    if (found) choose(Number(found[1]));
  }
  addEventListener("hashchange", byHash);
  byHash();
})();
