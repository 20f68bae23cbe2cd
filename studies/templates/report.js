"use strict";
(function () {
  // A browser keeps 16 WebGL contexts and a map takes two: draw maps as they come into view, keep the latest few.
  var KEEP = 6;
  var base = JSON.parse(document.getElementById("base-traces").textContent);
  var figures = Array.prototype.slice.call(document.querySelectorAll("figure.map"));
  var drawn = [];
  var options = { responsive: true, scrollZoom: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  var webgl = (function () {
    var canvas = document.createElement("canvas");
    var context = canvas.getContext("webgl");
    var ending = context && context.getExtension("WEBGL_lose_context");
    if (ending) { ending.loseContext(); }
    return Boolean(context);
  })();

  function plotOf(figure) { return figure.querySelector(".plot"); }

  function draw(figure) {
    drawn = drawn.filter(function (other) { return other !== figure; });
    drawn.push(figure);
    if (drawn.length > KEEP) { erase(drawn.shift()); }
    if (figure.dataset.drawn) { return; }
    figure.dataset.drawn = "yes";
    var own = JSON.parse(figure.querySelector("script.figure").textContent);
    var plot = plotOf(figure);
    plot.textContent = "";
    if (!webgl) {
      plot.innerHTML = '<p class="warning">This browser does not offer WebGL, so the map cannot be drawn. The same ' +
        'counts stand in the tables; study.gpkg holds the same map for QGIS.</p>';
      return;
    }
    var shared = JSON.parse(JSON.stringify(base));
    own.layout.shapes = own.layout.shapes.concat(shared.shapes);
    Plotly.newPlot(plot, shared.data.concat(own.data), own.layout, options).then(function () {
      plot.on("plotly_relayout", function (change) { if (!change || !change["shapes[0].x0"]) { adapt(plot); } });
      var wanted = /&view=([^&]+)/.exec(window.location.hash);
      if (!(wanted && figure.classList.contains("shown") && look(figure, decodeURIComponent(wanted[1])))) { adapt(plot); }
    });
  }

  function within(low, value, high) { return Math.max(low, Math.min(high, value)); }

  // Markers, site names and the scale bar follow the zoom; a metre is a metre at every size of the window.
  function adapt(plot) {
    var x = plot._fullLayout && plot._fullLayout.xaxis, y = plot._fullLayout && plot._fullLayout.yaxis;
    if (!x || !x._length) { return; }
    var metres = (x.range[1] - x.range[0]) / x._length;
    var grow = within(0.62, 1.65 / Math.sqrt(metres), 2.2);
    var sizes = { "marker.size": [], mode: [] }, rows = [];
    plot.data.forEach(function (trace, row) {
      var meta = trace.meta, site = meta === "sites";
      if (!trace.marker || !trace.x) { return; }
      if (trace.size0 === undefined) { trace.size0 = trace.marker.size; }
      var few = trace.x.length <= 6 || metres < 3.2;
      var size = trace.size0 * (site ? within(trace.x.length > 60 ? 0.62 : 0.85, grow, 1.25) : grow);
      rows.push(row);
      sizes["marker.size"].push(Math.round(10 * size) / 10);
      sizes.mode.push(site && few ? "markers+text" : "markers");
    });
    if (rows.length) { Plotly.restyle(plot, sizes, rows); }
    var wide = x.range[1] - x.range[0], high = y.range[1] - y.range[0];
    var power = Math.pow(10, Math.floor(Math.log10(0.22 * wide)));
    var length = [5, 2, 1].filter(function (step) { return step * power <= 0.22 * wide; })[0] * power;
    var left = x.range[0] + 0.03 * wide, bottom = y.range[0] + 0.04 * high, top = bottom + 0.009 * high;
    Plotly.relayout(plot, {
      "shapes[0].x0": left, "shapes[0].x1": left + length / 2, "shapes[0].y0": bottom, "shapes[0].y1": top,
      "shapes[1].x0": left + length / 2, "shapes[1].x1": left + length, "shapes[1].y0": bottom, "shapes[1].y1": top,
      "annotations[0].x": left + length / 2, "annotations[0].y": top,
      "annotations[0].text": length >= 1000 ? length / 1000 + " km" : length + " m"
    });
  }

  function look(figure, name) {
    var button = figure.querySelector('button[data-view="' + name + '"]');
    if (!button || !figure.dataset.drawn || !webgl) { return false; }
    var edges = JSON.parse(button.dataset.edges);
    Plotly.relayout(plotOf(figure), { "xaxis.range": [edges[0], edges[2]], "yaxis.range": [edges[1], edges[3]] });
    return true;
  }

  function erase(figure) {
    Plotly.purge(plotOf(figure));
    delete figure.dataset.drawn;
  }

  function follow() {
    var match = /^#map=([^&]+)/.exec(window.location.hash);
    var wanted = match && figures.filter(function (f) { return f.dataset.map === decodeURIComponent(match[1]); })[0];
    document.body.classList.toggle("one-map", Boolean(wanted));
    document.body.classList.toggle("bare", Boolean(wanted) && /&bare$/.test(window.location.hash));
    figures.forEach(function (figure) { figure.classList.toggle("shown", figure === wanted); });
    if (wanted) { draw(wanted); }
    figures.forEach(function (figure) { if (webgl && figure.dataset.drawn) { Plotly.Plots.resize(plotOf(figure)); } });
    if (!wanted && window.location.hash) {
      var place = document.getElementById(window.location.hash.slice(1));
      if (place) { place.scrollIntoView(); }
    }
  }

  function filter() {
    var text = document.getElementById("find").value.toLowerCase();
    var origin = document.getElementById("origin").value;
    var confidence = document.getElementById("confidence").value;
    var shown = 0;
    document.querySelectorAll("#assumption-table tbody tr").forEach(function (row) {
      var fits = (!origin || row.dataset.origin === origin) && (!confidence || row.dataset.confidence === confidence) &&
        row.textContent.toLowerCase().indexOf(text) >= 0;
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    document.getElementById("found").textContent = shown + " shown";
  }

  var cash = JSON.parse(document.getElementById("cash-figure").textContent);
  Plotly.newPlot("cash", cash.data, cash.layout, { responsive: true, displaylogo: false });
  document.querySelectorAll("figure.feeder").forEach(function (figure) {
    var pictures = JSON.parse(figure.querySelector("script.figure").textContent);
    var choice = figure.querySelector("select");
    function show() {
      var one = pictures[Number(choice.value)];
      Plotly.react(plotOf(figure), one.data, one.layout, { responsive: true, displaylogo: false, displayModeBar: false });
    }
    choice.addEventListener("input", show);
    show();
  });
  document.querySelectorAll("figure.chart").forEach(function (figure) {
    var one = JSON.parse(figure.querySelector("script.figure").textContent);
    Plotly.newPlot(plotOf(figure), one.data, one.layout, { responsive: true, displaylogo: false, displayModeBar: false });
  });

  // Rows by a column: numbers by their first number, the rest as text; a second click turns the order around.
  function rank(cell) {
    var text = cell.textContent.replace(/\u202f/g, "").replace(/\u2212/g, "-"), number = parseFloat(text);
    var unit = / (s|min|h)$/.exec(text);
    return isNaN(number) ? null : number * (unit ? { s: 1, min: 60, h: 3600 }[unit[1]] : 1);
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    table.querySelectorAll("thead th").forEach(function (head, column) {
      head.addEventListener("click", function () {
        var body = table.tBodies[0], turn = head.dataset.turn === "up" ? -1 : 1;
        table.querySelectorAll("thead th").forEach(function (other) { delete other.dataset.turn; });
        head.dataset.turn = turn > 0 ? "up" : "down";
        var numeric = head.classList.contains("n");
        Array.prototype.slice.call(body.rows).sort(function (a, b) {
          var x = a.cells[column], y = b.cells[column], p = numeric ? rank(x) : null, q = numeric ? rank(y) : null;
          if (p === null && q === null) { return turn * x.textContent.localeCompare(y.textContent); }
          return p === null ? 1 : q === null ? -1 : turn * (p - q);
        }).forEach(function (row) { body.appendChild(row); });
      });
    });
  });
  ["find", "origin", "confidence"].forEach(function (id) { document.getElementById(id).addEventListener("input", filter); });
  figures.forEach(function (figure) {
    figure.addEventListener("click", function (event) {
      var name = event.target.dataset && event.target.dataset.view;
      if (name) { look(figure, name); }
    });
  });
  window.addEventListener("hashchange", follow);
  follow();
  if ("IntersectionObserver" in window) {
    var watcher = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) { if (entry.isIntersecting) { draw(entry.target); } });
    }, { rootMargin: "300px" });
    figures.forEach(function (figure) { watcher.observe(figure); });
  } else {
    figures.slice(0, KEEP).forEach(draw);
  }
  window.addEventListener("beforeprint", function () { figures.slice(0, KEEP).forEach(draw); });
})();
