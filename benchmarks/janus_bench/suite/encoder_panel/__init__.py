"""How well the features of a model's understanding encoder tell classes of pictures apart."""
