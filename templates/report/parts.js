"use strict";
// What the pages have in common: elements, a picture that moves, rows that take the focus in turn,
// and the search.
const parts = (() => {
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

  function part(title, ...inner) {
    return inner.length ? [el("h4", {}, title), ...inner] : [];
  }

  function pairs(list) {
    return el("dl", {}, ...list.flatMap(([key, value, usual]) =>
      [el("dt", { class: usual && "usual" }, key), el("dd", { class: usual && "usual" }, value)]));
  }

  // What a layer makes, reads and costs, for ``pairs``.
  function facts(layer) {
    const found = [
      ["makes", layer.tops.map((top, at) => `${top}  ${layer.shapes[at]}`).join(", ") || "nothing"],
      ["reads", layer.bottoms.join(", ") || "nothing"],
    ];
    if (layer.weights.length) found.push(["weights", layer.weights.join(", ")]);
    if (layer.parameters !== 0) found.push(["parameters", number(layer.parameters)]);
    if (layer.statistics) found.push(["statistics", number(layer.statistics)]);
    if (layer.multiply_adds !== 0) found.push(["multiply-adds", number(layer.multiply_adds)]);
    if (layer.reason) found.push(["not known", layer.reason]);
    return found;
  }

  function source(file, printed, layer) {
    const at = layer.line === null ? "" : `, line ${layer.line}${printed ? " of its text" : ""}`;
    return layer.text.length ? part(`${file}${at}`, el("pre", { tabindex: "0" }, layer.text.join("\n"))) : [];
  }

  // The picture in an element: ``pick`` gets the key of a box that is clicked.
  function picture(graph, side, pick) {
    const svg = graph && graph.querySelector("svg.net");
    if (!svg) return { box: () => null, mark() {}, centre() {}, unmark() {}, hit() {} };
    const view = svg.getAttribute("viewBox");
    const move = svgPanZoom(svg, {
      viewportSelector: ".none", fit: true, center: true, minZoom: 0.4, maxZoom: 1000,
      zoomScaleSensitivity: 0.25, dblClickZoomEnabled: false, mouseWheelZoomEnabled: false,
    });

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
      if (node) pick(node.id.slice(`${side}box-`.length));
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

    const box = (layer) => layer.box !== null && document.getElementById(`${side}box-${layer.box}`);
    return {
      box,
      mark(layer, pan) {
        const found = box(layer);
        if (!found) return;
        found.classList.add("chosen");
        for (const end of ["from", "to"]) {
          for (const one of svg.getElementsByClassName(`${end}-${layer.box}`)) one.classList.add("near");
        }
        if (pan) centre(found);
      },
      centre(layer) {
        if (box(layer)) centre(box(layer));
      },
      unmark() {
        for (const one of svg.querySelectorAll(".chosen, .near")) one.classList.remove("chosen", "near");
      },
      // The picture pales around the layers that a search finds.
      hit(layers, searching) {
        svg.classList.toggle("searched", searching);
        for (const one of svg.querySelectorAll(".hit")) one.classList.remove("hit");
        for (const one of layers) if (box(one)) box(one).classList.add("hit");
      },
    };
  }

  // Rows of a table: one takes the focus, arrows move it. ``choose`` gets a row.
  function rows(body, choose) {
    function focusable(row) {
      for (const one of body.querySelectorAll('[tabindex="0"]')) one.tabIndex = -1;
      row.tabIndex = 0;
    }
    const next = (row, way) => {
      while (row && row.hidden) row = row[way];
      return row;
    };
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row && !event.target.closest("a")) choose(row, false);
    });
    body.addEventListener("keydown", (event) => {
      const row = event.target.closest("tr");
      const down = "nextElementSibling";
      const up = "previousElementSibling";
      const to = { ArrowDown: next(row[down], down), ArrowUp: next(row[up], up),
        Home: next(body.firstElementChild, down), End: next(body.lastElementChild, up) }[event.key];
      if (to) {
        event.preventDefault();
        focusable(to);
        to.focus();
      } else if ((event.key === "Enter" || event.key === " ") && !event.target.closest("a")) {
        event.preventDefault();
        choose(row, event.key === "Enter");
      }
    });
    return {
      focusable,
      select(row) {
        for (const one of body.querySelectorAll("[aria-selected]")) one.removeAttribute("aria-selected");
        if (row) {
          row.setAttribute("aria-selected", "true");
          focusable(row);
        }
      },
    };
  }

  // A head sorts.
  function sortable(table) {
    const body = table.tBodies[0];
    for (const head of table.tHead.rows[0].cells) {
      head.firstElementChild.addEventListener("click", () => {
        const at = head.cellIndex;
        const up = head.getAttribute("aria-sort") !== "ascending";
        const numeric = body.rows[0] && body.rows[0].cells[at].dataset.value !== undefined;
        const value = (row) => numeric ? Number(row.cells[at].dataset.value) : row.cells[at].textContent;
        const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en", { numeric: true });
        const sorted = [...body.rows].map((row) => [value(row), row]);
        sorted.sort(([a], [b]) => (up ? compare(a, b) : compare(b, a)));
        body.append(...sorted.map(([, row]) => row));
        for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
      });
    }
  }

  // The search: what fits is listed. ``note`` says what stands beside a name; ``hit`` gets all
  // that fits, ``take`` the one that is chosen, ``clear`` is called where there is nothing to clear.
  function search(layers, { note, hit, take, clear }) {
    const input = document.getElementById("search");
    const hits = document.getElementById("hits");
    const most = 12;
    let list = [];
    let at = 0;
    function look() {
      const words = input.value.trim().toLowerCase();
      const fits = (text) => text.toLowerCase().includes(words);
      list = words ? layers.filter((one) => [one.name, one.type, ...one.tops].some(fits)) : [];
      const exact = (one) => Number(one.name.toLowerCase() === words);
      list.sort((one, other) => exact(other) - exact(one));
      at = 0;
      hit(list, words !== "");
      hits.replaceChildren(...list.slice(0, most).map((one, index) => {
        const item = el("li", { role: "option", id: `hit-${index}` }, el("span", {}, note(one)), one.name);
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          chosen(index);
        });
        return item;
      }), ...(list.length > most ? [el("li", { class: "note" }, `and ${list.length - most} more`)] : []),
      ...(words && !list.length ? [el("li", { class: "note" }, "nothing fits")] : []));
      hits.hidden = !words;
      input.setAttribute("aria-expanded", String(!hits.hidden));
      mark();
    }
    function mark() {
      [...hits.children].forEach((one, index) => one.setAttribute("aria-selected", String(index === at)));
      if (list.length) input.setAttribute("aria-activedescendant", `hit-${at}`);
      else input.removeAttribute("aria-activedescendant");
    }
    function chosen(index) {
      if (!list[index]) return;
      hits.hidden = true;
      take(list[index]);
    }
    input.addEventListener("input", look);
    input.addEventListener("focus", look);
    input.addEventListener("blur", () => (hits.hidden = true));
    input.addEventListener("keydown", (event) => {
      const count = Math.min(list.length, most);
      if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count) {
        event.preventDefault();
        at = (at + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
        mark();
      } else if (event.key === "Enter") chosen(at);
    });
    document.addEventListener("keydown", (event) => {
      const typing = event.target === input;
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        input.focus();
        input.select();
      } else if (event.key === "Escape") {
        if (typing && input.value) {
          input.value = "";
          look();
        } else {
          if (typing) input.blur();
          clear();
        }
      }
    });
  }

  return { el, number, part, pairs, facts, source, picture, rows, sortable, search };
})();
