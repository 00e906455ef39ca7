"use strict";
(() => {
  const { el, part, pairs } = parts;
  const { sides, rows: differences, signs } = JSON.parse(document.getElementById("data").textContent);
  const names = ["a", "b"];
  const panel = document.getElementById("panel");
  const table = document.getElementById("table");
  const hint = panel.innerHTML;
  const pictures = names.map((name, at) => {
    const first = new Map();
    for (const layer of sides[at].layers) {
      // Of the layers in a box the first that differs is shown.
      const before = first.get(layer.box);
      if (before === undefined || (!sides[at].marks[before] && sides[at].marks[layer.index])) {
        first.set(layer.box, layer.index);
      }
    }
    const choose = (key) => first.has(key) && show(at, first.get(key), { still: at });
    return parts.picture(document.getElementById(`graph-${name}`), `${name}-`, choose);
  });
  const rows = table && parts.rows(table.tBodies[0], (row, scroll) => go(Number(row.dataset.row), scroll));
  let current = -1;

  function half(at, layer) {
    const { file, printed, layers } = sides[at];
    const letter = el("span", { class: "letter" }, names[at].toUpperCase());
    if (!layer) return el("div", {}, el("h3", {}, letter, " has no such layer"));
    const own = layer.settings.filter(([, , usual]) => !usual);
    return el("div", {},
      el("h3", {}, letter, ` ${layer.name || "(no name)"}`),
      el("div", { class: "type" }, `${layer.type}, layer ${layer.index + 1} of ${layers.length}`),
      ...part("Blobs and cost", pairs(parts.facts(layer))),
      ...(own.length ? part("Parameters but for defaults", pairs(own)) : []),
      ...parts.source(file, printed, layer));
  }

  function fields(list) {
    return el("dl", { class: "fields" }, ...list.flatMap(([name, before, after]) =>
      [el("dt", {}, name), el("dd", {}, before), el("dd", {}, after)]));
  }

  // The other net's layer that is about where one is that it has not.
  function beside(side, index) {
    const { partners } = sides[side];
    for (let at = index; at >= 0; at -= 1) if (partners[at] !== null) return partners[at];
    return 0;
  }

  // The layers of both nets, given by one of them, or by a row: either may be null.
  function both(indices, { row = -1, side = indices[0] === null ? 1 : 0, still = -1, scroll = false } = {}) {
    const found = indices.map((index, at) => (index === null ? null : sides[at].layers[index]));
    const at = row >= 0 ? row : differences.findIndex(({ first, second }) =>
      (first !== null && first === indices[0]) || (second !== null && second === indices[1]));
    current = at;
    pictures.forEach((picture, own) => {
      picture.unmark();
      if (found[own]) picture.mark(found[own], own !== still);
      else if (found[1 - own]) picture.centre(sides[own].layers[beside(1 - own, indices[1 - own])]);
    });
    if (rows) rows.select(at >= 0 ? document.getElementById(`difference-${at}`) : null);
    const close = el("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
    close.addEventListener("click", clear);
    const { mark, fields: differing } = at >= 0 ? differences[at] : { mark: "", fields: [] };
    const words = mark ? `${signs[mark]} ${mark}` : "the same in both nets";
    panel.replaceChildren(close,
      el("p", { class: `verdict${mark && ` mark is-${mark}`}` }, words),
      ...(differing.length ? [fields(differing)] : []),
      ...(found.some((one) => one) ? [el("div", { class: "two" }, ...found.map((one, own) => half(own, one)))] : []));
    panel.scrollTop = 0;
    const place = indices[side] === null ? `difference-${at}` : `${names[side]}-${indices[side]}`;
    history.replaceState(null, "", `#${place}`);
    if (scroll) document.getElementById("pictures").scrollIntoView({ block: "start", behavior: "smooth" });
  }

  function show(side, index, options) {
    if (!sides[side].layers[index]) return;
    const other = sides[side].partners[index];
    both(side ? [other, index] : [index, other], { side, ...options });
  }

  function go(row, scroll) {
    const { first, second } = differences[row];
    both([first, second], { row, scroll });
  }

  function clear() {
    current = -1;
    for (const one of pictures) one.unmark();
    if (rows) rows.select(null);
    panel.innerHTML = hint;
    history.replaceState(null, "", location.pathname + location.search);
  }

  const listed = (row) => !document.getElementById(`difference-${row}`).hidden;
  function step(way) {
    let row = current + way;
    if (current < 0) row = way > 0 ? 0 : differences.length - 1;
    while (differences[row] && !listed(row)) row += way;
    if (differences[row]) go(row, false);
  }
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=search]") || event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { n: 1, p: -1 }[event.key];
    if (way) step(way);
  });

  const place = /^#(a|b|difference)-(\d+)$/;
  function follow(hash, scroll) {
    const found = place.exec(hash);
    if (!found) return false;
    const index = Number(found[2]);
    if (found[1] !== "difference") show(names.indexOf(found[1]), index, { scroll });
    else if (differences[index]) go(index, scroll);
    return true;
  }
  document.addEventListener("click", (event) => {
    const found = event.target.closest("a[href^='#']");
    if (found && follow(found.getAttribute("href"), true)) event.preventDefault();
  });

  for (const box of document.querySelectorAll(".filters input")) {
    box.addEventListener("change", () => {
      for (const row of table.tBodies[0].rows) {
        if (row.dataset.mark === box.value) row.hidden = !box.checked;
      }
    });
  }

  parts.search(sides.flatMap(({ layers }, side) => layers.map((layer) => ({ ...layer, side }))), {
    note: (one) => `${one.type}, ${names[one.side].toUpperCase()}`,
    hit: (list, searching) => {
      for (const side of [0, 1]) pictures[side].hit(list.filter((one) => one.side === side), searching);
    },
    take: (one) => show(one.side, one.index, { scroll: true }),
    clear,
  });

  addEventListener("hashchange", () => follow(location.hash, false));
  follow(location.hash, false);
})();
