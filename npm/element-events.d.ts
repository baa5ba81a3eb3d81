
// Appended to the types of element.js, whose comments cannot say this.
export interface InfinityImage {
  addEventListener<K extends keyof InfinityImageEventMap>(
    type: K,
    listener: (this: InfinityImage, event: InfinityImageEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener<K extends Exclude<keyof HTMLElementEventMap, keyof InfinityImageEventMap>>(
    type: K,
    listener: (this: InfinityImage, event: HTMLElementEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof InfinityImageEventMap>(
    type: K,
    listener: (this: InfinityImage, event: InfinityImageEventMap[K]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener<K extends Exclude<keyof HTMLElementEventMap, keyof InfinityImageEventMap>>(
    type: K,
    listener: (this: InfinityImage, event: HTMLElementEventMap[K]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "infinity-image": InfinityImage;
  }
}
