"""The folder a user owns: images, annotations, weights versions, split, journal."""
