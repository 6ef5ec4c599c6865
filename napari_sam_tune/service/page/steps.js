// What a person has said about the object, one thing after the other.
//
// A step is the whole prompt after something was said, and its answer once that is there:
// {box, points, candidate, answer, earlier}, `earlier` being the answer among whose guesses one was
// chosen. Undo therefore shows the step before without asking again.

const NOTHING = { box: null, points: [], candidate: 0, answer: null, earlier: null };

export class Steps {
  #steps = [{ ...NOTHING }];

  get current() {
    return this.#steps[this.#steps.length - 1];
  }

  get canUndo() {
    return this.#steps.length > 1;
  }

  get saysSomething() {
    return this.current.box !== null || this.current.points.length > 0;
  }

  addPoint(x, y, label) {
    this.#say({ points: [...this.current.points, { x, y, label }] });
  }

  /** A box takes the place of the one before; what was chosen among guesses is its alone. */
  setBox(from, to) {
    const box = [
      Math.min(from.x, to.x),
      Math.min(from.y, to.y),
      Math.max(from.x, to.x),
      Math.max(from.y, to.y),
    ];
    this.#say({ box, candidate: 0 });
  }

  choose(candidate) {
    this.#say({ candidate, earlier: this.current.answer ?? this.current.earlier });
  }

  undo() {
    if (this.canUndo) this.#steps.pop();
  }

  /** Begin anew; undo brings back what was there. */
  reset() {
    this.#say(NOTHING);
  }

  #say(said) {
    this.#steps.push({ ...this.current, ...said, answer: null });
  }
}
