addEventListener('load', () => {
  const views = [...document.querySelectorAll('iframe')].map(frame => {
    const page = frame.contentDocument, root = page.documentElement;
    const plots = [...page.querySelectorAll('svg.plot')];
    // A line is drawn where some path of its colour in its own plot, grid aside, has a length and a place.
    const isDrawn = entry => {
      const color = entry.querySelector('path').getAttribute('stroke').toLowerCase();
      const plot = entry.closest('figure').querySelector('svg.plot');
      return [...plot.querySelectorAll('polyline, path')].some(path =>
        (path.getAttribute('stroke') || '').toLowerCase() === color &&
        path.getTotalLength() > 0 && path.getBoundingClientRect().width > 0);
    };
    const entries = [...page.querySelectorAll('.legend li')];
    const pictures = [...page.querySelectorAll('img')];
    const texts = plots.flatMap(plot => [...plot.querySelectorAll('text')].map(text =>
      parseFloat(text.getAttribute('font-size')) * plot.getBoundingClientRect().width / plot.viewBox.baseVal.width));
    return {
      width: root.clientWidth,
      scroll_width: Math.max(root.scrollWidth, page.body.scrollWidth),
      errors: frame.contentWindow.errors,
      plots: plots.length,
      lines: entries.length,
      empty_lines: entries.filter(entry => !isDrawn(entry)).length,
      pictures: pictures.length,
      broken_pictures: pictures.filter(picture => !picture.complete || !picture.naturalWidth).length,
      least_text_px: Math.min(...texts),
    };
  });
  document.querySelector('output').textContent = JSON.stringify(views);
});
