"""What COCO-30K and MJHQ-30K share: sets of pictures against a reference set, by FID and KID."""
