// Directions that can go on without a new event from the kernel, because they used up their turn. First in, first out; DF_READY in
// the direction's flags keeps each at most once.

export class ReadyList {
  private ring = new Int32Array(256);
  private head = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** @param word first word of the direction in the session table */
  push(word: number): void {
    if (this.count === this.ring.length) {
      // Doubles at most log2(2 * sessions) times in a thread's life.
      const larger = new Int32Array(this.count * 2);
      for (let i = 0; i < this.count; i++) larger[i] = this.ring[(this.head + i) & (this.count - 1)];
      this.ring = larger;
      this.head = 0;
    }
    this.ring[(this.head + this.count++) & (this.ring.length - 1)] = word;
  }

  shift(): number {
    const word = this.ring[this.head];
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.count--;
    return word;
  }
}
