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
    Plotly.newPlot(plot, JSON.parse(JSON.stringify(base)).concat(own.data), own.layout, options);
  }

  function erase(figure) {
    Plotly.purge(plotOf(figure));
    delete figure.dataset.drawn;
  }

  function follow() {
    var match = /^#map=(.+)$/.exec(window.location.hash);
    var wanted = match && figures.filter(function (f) { return f.dataset.map === decodeURIComponent(match[1]); })[0];
    document.body.classList.toggle("one-map", Boolean(wanted));
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
  ["find", "origin", "confidence"].forEach(function (id) { document.getElementById(id).addEventListener("input", filter); });
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
