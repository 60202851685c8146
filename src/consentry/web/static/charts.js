// Pictures by ECharts. Each says in words what it shows; the lists beside it hold the same. Canvas only: the page allows no inline style.
(function () {
  "use strict";
  var LEVELS = { critical: "#9d1c2b", high: "#d9480f", medium: "#d39e00", low: "#2f9e44", none: "#868e96" };
  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue("--chart-" + name).trim(); }
  function text() { return { color: colour("text"), fontFamily: getComputedStyle(document.body).fontFamily }; }
  function tip() { return { backgroundColor: colour("surface"), borderColor: colour("grid"), textStyle: text(), renderMode: "richText" }; }
  function short(value, length) { return value.length > length ? value.slice(0, length - 1) + "…" : value; }
  var draw = {
    dots: function (data) {
      var grid = colour("grid"), soft = colour("soft");
      var axis = { nameTextStyle: { color: soft }, axisLabel: { color: soft }, splitLine: { lineStyle: { color: grid } }, axisLine: { lineStyle: { color: grid } } };
      var narrow = window.innerWidth < 600;
      return {
        textStyle: text(),
        grid: { left: 40, right: 24, top: 24, bottom: 44 },
        tooltip: Object.assign(tip(), { formatter: function (point) {
          var row = point.data.row;
          return short(row.name, 60) + "\n" + row.score.toFixed(1) + " " + row.level + " · " + (row.everybody ? "everybody" : row.users + (row.users === 1 ? " user" : " users"));
        } }),
        xAxis: Object.assign({ type: "log", min: 1, name: "Users", nameLocation: "middle", nameGap: 26 }, axis),
        yAxis: Object.assign({ type: "value", min: 0, max: 10, name: narrow ? "" : "Risk" }, axis),
        series: [{ type: "scatter", symbolSize: function (value) { return 7 + value[1]; },
          data: data.map(function (row) {
            return { value: [Math.max(1, row.x), row.score], row: row, cursor: "pointer",
              itemStyle: { color: LEVELS[row.level], opacity: 0.75, borderColor: colour("surface"), borderWidth: 1 } };
          }) }]
      };
    },
    points: function (data) {
      var soft = colour("soft");
      return {
        textStyle: text(),
        grid: { left: 2, right: 2, top: 6, bottom: 22 },
        tooltip: Object.assign(tip(), { formatter: function (part) { return short(part.seriesName, 60) + "  +" + part.value.toFixed(1); } }),
        xAxis: { type: "value", min: 0, max: 10, interval: 2, axisLabel: { color: soft }, splitLine: { lineStyle: { color: colour("grid") } } },
        yAxis: { type: "category", data: [""], show: false },
        series: data.map(function (one) {
          return { type: "bar", stack: "all", name: one.title, data: [one.points], barWidth: 22,
            itemStyle: { color: LEVELS[one.severity], borderColor: colour("surface"), borderWidth: 1 } };
        })
      };
    },
    history: function (data) {
      var soft = colour("soft"), grid = colour("grid");
      return {
        textStyle: text(),
        grid: { left: 24, right: 12, top: 10, bottom: 24 },
        tooltip: Object.assign(tip(), { trigger: "axis", formatter: function (points) {
          return new Date(points[0].value[0]).toLocaleString() + "\n" + points[0].value[1].toFixed(1) + " of 10";
        } }),
        xAxis: { type: "time", axisLabel: { color: soft, hideOverlap: true }, axisLine: { lineStyle: { color: grid } } },
        yAxis: { type: "value", min: 0, max: 10, interval: 5, axisLabel: { color: soft }, splitLine: { lineStyle: { color: grid } } },
        series: [{ type: "line", step: "end", symbolSize: 6, data: data, lineStyle: { color: colour("app"), width: 2 }, itemStyle: { color: colour("app") },
          areaStyle: { color: colour("app"), opacity: 0.12 } }]
      };
    },
    access: function (data) {
      var total = data.left.reduce(function (sum, one) { return sum + one.weight; }, 0);
      var held = data.right.reduce(function (sum, one) { return sum + one.weight; }, 0);
      var narrow = window.innerWidth < 600;
      var nodes = data.left.map(function (one, at) { return { name: "l" + at, words: one.label, depth: 0, itemStyle: { color: "#3b82a0" } }; });
      nodes.push({ name: "app", words: data.name, depth: 1, itemStyle: { color: colour("app") } });
      data.right.forEach(function (one, at) {
        nodes.push({ name: "r" + at, words: one.label, depth: 2, level: one.level, permissions: one.permissions, itemStyle: { color: LEVELS[one.level] } });
      });
      var links = data.left.map(function (one, at) { return { source: "l" + at, target: "app", value: Math.max(one.weight / total, 0.03) }; });
      var flow = links.reduce(function (sum, one) { return sum + one.value; }, 0);
      data.right.forEach(function (one, at) { links.push({ source: "app", target: "r" + at, value: flow * one.weight / held, level: one.level }); });
      links.forEach(function (link) { link.lineStyle = { color: link.level ? LEVELS[link.level] : "#3b82a0", opacity: 0.28, curveness: 0.5 }; });
      return {
        textStyle: text(),
        tooltip: Object.assign(tip(), { formatter: function (point) {
          if (point.dataType !== "node") { return ""; }
          return short(point.data.words, 60) + (point.data.permissions ? "\n" + point.data.permissions.slice(0, 8).join("\n") + (point.data.permissions.length > 8 ? "\n…" : "") : "");
        } }),
        series: [{ type: "sankey", data: nodes, links: links, left: 8, right: narrow ? 96 : 170, top: 12, bottom: 12, nodeWidth: 14, nodeGap: 10, draggable: false,
          emphasis: { focus: "adjacency" },
          label: { color: colour("text"), fontSize: narrow ? 11 : 12, formatter: function (point) { return short(point.data.words, narrow ? 13 : 34); } } }]
      };
    }
  };
  document.querySelectorAll("[data-chart]").forEach(function (box) {
    var kind = box.dataset.chart;
    var data = JSON.parse(document.getElementById(box.dataset.source).textContent);
    var chart = window.echarts.init(box, null, { renderer: "canvas" });
    function show() { chart.setOption(draw[kind](data), true); }
    show();
    chart.on("click", function (point) { if (point.data && point.data.row) { window.location.href = point.data.row.url; } });
    window.addEventListener("consentry:theme", show);
    window.addEventListener("resize", function () { chart.resize(); show(); });
  });
})();
