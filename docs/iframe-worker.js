// The search runs in a worker. A browser starts none for a page that is opened from a folder, so
// there an invisible frame takes the worker's place. Over HTTP this script does nothing.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.scope = frame.contentWindow;
      const page = frame.contentDocument;
      page.open();
      this.scope.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      page.close();
      const script = page.createElement("script");
      this.started = new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = reject;
      });
      this.started.catch(() => this.dispatchEvent(new ErrorEvent("error", { message: `no script at ${url}` })));
      script.src = url;
      page.head.append(script);
    }

    postMessage(data) {
      this.started.then(() => this.scope.dispatchEvent(new MessageEvent("message", { data })), () => {});
    }
  };
}
