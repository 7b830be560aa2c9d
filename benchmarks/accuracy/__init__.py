"""How often the product is right, on recordings of people whom the model was not trained on."""
