"""What singular values and vectors of a batch's features say of two domains, with derivatives that are finite.

In: features [n, d] of each domain.
Out: scalars, 0 where the domains agree.

Derivatives of single vectors divide by gaps between values, which may be zero: where the whole does not need them its
derivative is written out, else the gap is held away from zero.

Open first: `inverse_gram.py` (least squares), then `subspaces.py` (angles between spans).
"""
