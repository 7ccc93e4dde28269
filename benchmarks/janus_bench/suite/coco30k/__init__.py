"""COCO-30K: drawings of 30,000 captions of COCO val2014 against its pictures."""
