"""Image px, the encoder's input and the decoder's logits: one place that converts between them."""
