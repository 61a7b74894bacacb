"""What the methods are by default, a line each: a changed default is another method, and no equation notices."""

import inspect

import pytest

from tl_jax.balancing.by_trained_weights import gradnorm
from tl_jax.methods import BASELINES, METHODS
from tl_jax.methods.contract import Method

ARGUMENTS = {
    "source_only": {},
    "target_only": {},
    "adabn": {"examples": 1000},
    "dan": {"form": "quadratic"},  # Long et al. 2015 in all pairs; form="paper" has theirs
    "deep_coral": {"form": "paper"},  # Sun & Saenko 2016
    "dann": {"hidden": 256},
    "cdan": {"entropy": False, "hidden": 1024, "form": "paper"},  # Long et al. 2018: d-1024-1024-1
    "mcd": {"generator_steps": 4},  # Saito et al. 2018: 4 for digits
    "mcc": {"temperature": 2.5},  # Jin et al. 2020
    "fixmatch": {"threshold": 0.95},  # Sohn et al. 2020
    "mean_teacher": {"decay": 0.99, "threshold": 0.968, "balance": 0.005},  # French et al. 2018
    "shot": {"smoothing": 0.1},  # Liang et al. 2020
    "entropy_minimisation": {},
    "pseudo_label": {"threshold": 0.95},
    "bnm": {},
    "afn": {"step": 1.0},  # Xu et al. 2019: Delta r = 1
    "mdd": {"margin": 4.0, "hidden": 256},  # Zhang et al. 2019: gamma = 4
    "jan": {},
    "dsan": {},
    "bsp": {"penalty": 1e-4, "hidden": 256},  # Chen et al. 2019: beta = 1e-4
    "wdgrl": {"critic_steps": 5, "penalty": 10.0, "hidden": 256},  # Shen et al. 2018: n = 5, gamma = 10
    "adamatch": {"threshold": 0.9},  # Berthelot et al. 2022
    "dare_gram": {"threshold": 0.9, "angle": 0.05, "scale": 1e-3},  # Nejjar et al. 2023
    "rsd": {"bases": 0.01},  # Chen et al. 2021: their code
    "m3sda": {"moments": 2},  # Peng et al. 2019
    "ddc": {},
    "cmd": {"moments": 5},  # Zellinger et al. 2017: K = 5
    "homm": {"order": 3},  # Chen et al. 2020
    "deep_jdot": {"features": 1e-3, "labels": 1e-4, "regular": 0.02},  # Damodaran et al. 2018: 1e-3, 1e-4
    "jumbot": {"features": 0.1, "labels": 0.1, "regular": 0.1, "marginal": 1.0},  # Fatras et al. 2021
    "adda": {"hidden": 500},  # Tzeng et al. 2017
    "iwan": {"penalty": 0.1, "hidden": 256},  # Zhang et al. 2018: gamma = .1
    "pada": {"hidden": 256},
    "cbst": {"first": 0.2, "last": 0.5},  # Zou et al. 2018: p from 20 % to 50 %
    "atdoc": {"neighbours": 5},  # Liang et al. 2021: K = 5
    "flexmatch": {"threshold": 0.95},  # Zhang et al. 2021
    "freematch": {"decay": 0.999, "fairness": 0.01},  # Wang et al. 2023
    "mme": {},
    "sdat": {"rho": 0.02, "hidden": 256},  # Rangwani et al. 2022
    "swd": {"slices": 128, "generator_steps": 4},  # Lee et al. 2019: 128
    "daan": {"hidden": 256, "decay": 0.99},
    "mdan": {"gamma": 10.0, "hidden": 256},  # Zhao et al. 2018: 10
    "aad": {"neighbours": 5, "decay": 5.0, "smoothing": 0.1},  # Yang et al. 2022
    "nrc": {"neighbours": 5, "extended": 5, "other": 0.1, "smoothing": 0.1},  # Yang et al. 2021
    "osbp": {"boundary": 0.5},  # Saito et al. 2018: t = .5
    "ovanet": {},
    # Bucci et al. 2020: eta = 3, the centre's .1 of their Office-31
    "ros": {"rotation": 3.0, "centre": 0.1, "sure": 0.1, "unknown": 1.0, "hidden": 256},
    "uan": {"temperature": 10.0, "threshold": -0.5, "hidden": 256},  # You et al. 2019
    "dance": {"temperature": 0.05, "margin": 0.5},  # Saito et al. 2020
    "bbse": {"held": 0.2, "decay": 0.99},
    "mlls": {"held": 0.2, "iterations": 100},
    "kliep": {"centres": 100, "iterations": 200},  # Sugiyama et al. 2008: b = 100
    "ulsif": {"centres": 100, "ridge": 0.1},  # Kanamori et al. 2009: b = 100
    "etn": {"penalty": 0.2, "hidden": 256},  # Cao et al. 2019: .2 on Office-Home
    "ba3us": {"share": 0.25, "penalty": 0.1, "suppression": 1.0, "hidden": 256},  # Liang et al. 2020
    "gvb": {"generator": 1.0, "discriminator": 1.0, "hidden": 256},  # Cui et al. 2020
    "symnets": {},
    "star": {"generator_steps": 4},
    "rtn": {"penalty": 0.3},  # Long et al. 2016
    "dd": {"margin": 1.0, "hidden": 256},
    "mfsan": {},
    "vada": {"radius": 3.5, "smooth": 1.0, "target": 0.01, "hidden": 100},  # Shu et al. 2018
    "dirt_t": {"radius": 3.5, "teacher": 0.01, "every": 1 / 16, "decay": 0.998},  # Shu et al. 2018
    "can": {"distance": 1.0, "least": 3.0},  # Kang et al. 2019: 3
    "cst": {"tsallis": 0.08, "strong": 0.5, "temperature": 2.0, "threshold": 0.97, "rho": 0.5},  # Liu et al. 2021
    "spa": {"spectral": 1.0, "neighbours": 5, "momentum": 0.3, "smoothing": 0.1, "hidden": 1024},  # Xiao et al. 2023
    "cdac": {"ranks": 5, "threshold": 0.95, "consistency": 30.0},  # Li et al. 2021
    "noisy_student": {"rounds": 4.0, "threshold": 0.3},  # Xie et al. 2020: .3, three students
    "cowa": {"alpha": 1.0, "smoothing": 0.1},  # Lee et al. 2022
    "erm": {},
    "mldg": {"inner": 5e-4},  # Li et al. 2018: alpha = 5e-4
    "vrex": {"anneal": 0.1},  # DomainBed: 500 of 5000 steps
    "irm": {"anneal": 0.1},  # DomainBed: 500 of 5000 steps
    "group_dro": {"eta": 0.01},  # Sagawa et al. 2020
    "spectral_decoupling": {},
    "eqrm": {"quantile": 0.75, "burnin": 0.5},  # DomainBed: 2500 of 5000 steps
    "fishr": {"decay": 0.95, "anneal": 0.3},  # DomainBed: 1500 of 5000 steps
    "source_coral": {},
    "source_mmd": {"form": "scaled"},
    "source_dann": {"hidden": 256},  # DomainBed
    "source_cdann": {"hidden": 256},
    "mixstyle": {"p": 0.5, "alpha": 0.1},  # Zhou et al. 2021
    "rsc": {"features": 1 / 3, "examples": 1 / 3},  # Huang et al. 2020
    "selfreg": {"features": 0.3},  # DomainBed
    "sagnet": {},
    "fish": {},
    "and_mask": {"tau": 1.0},  # DomainBed
    "mixup": {"alpha": 0.2},  # DomainBed
    "swad": {"every": 0.02, "tolerance": 1.3, "held": 0.2},  # Cha et al. 2021: 3 and 6 segments, r = 1.3
    "sma": {"begin": 0.02},  # Arpit et al. 2022: 100 of 5000 steps
    "no_adaptation": {},
    "bn_adapt": {"prior": 16.0},  # Schneider et al. 2020: chosen by the size of the batch
    "tent": {"lr": 1e-3},  # Wang et al. 2021: CIFAR-10-C
    "eata": {"margin": 0.4, "redundancy": 0.05, "fisher": 2000.0, "lr": 2.5e-4},  # Niu et al. 2022: ImageNet-C
    "sar": {"margin": 0.4, "rho": 0.05, "recovery": 0.2, "lr": 1e-3},  # Niu et al. 2023
    "cotta": {  # Wang et al. 2022: CIFAR-10-C, there 32 views
        "decay": 0.999,
        "threshold": 0.92,
        "share": 0.01,
        "views": 4,
        "view": "strong",
        "lr": 1e-3,
    },
    "rotta": {"size": 64, "decay": 0.999, "view": "strong", "lr": 1e-3},  # Yuan et al. 2023
    "note": {"size": 64, "k": 4.0, "pace": 0.1, "retrain": False, "lr": 1e-4},  # Gong et al. 2022
    "memo": {"views": 8, "view": "strong", "lr": 1e-5},  # Zhang et al. 2022: 32 or 64 views
    "lame": {"neighbours": 5, "iterations": 100},  # Boudiaf et al. 2022
    "t3a": {"filter": 100},
    "fine_tune": {},
    "joint": {},
    "bss": {"smallest": 1},  # Chen et al. 2019 (NeurIPS): k = 1
    "l2_sp": {"head": 1.0},
    "stoch_norm": {"p": 0.5},  # Kou et al. 2020
    "co_tuning": {"temperature": 1.0},
    "bi_tuning": {"temperature": 0.07, "decay": 0.999, "form": "paper", "width": 128, "view": "weak"},
    "wise_ft": {"alpha": 0.5},  # Wortsman et al. 2022
    "delta": {},
    "lwf": {"temperature": 3.0, "form": "paper"},
    "simclr": {"temperature": 0.5, "hidden": 256, "width": 128, "view": "strong"},  # Chen et al. 2020
    "simsiam": {"width": 256, "hidden": 64, "view": "strong"},
    "byol": {"decay": 0.99, "hidden": 512, "width": 128, "view": "strong"},
    "moco": {"temperature": 0.2, "decay": 0.99, "hidden": 512, "width": 128, "view": "strong"},  # Chen et al. 2021: .2
    "barlow_twins": {"redundancy": 5e-3, "width": 512, "view": "strong"},  # Zbontar et al. 2021: 5e-3, 8192 wide
    "vicreg": {"invariance": 25.0, "variance": 25.0, "covariance": 1.0, "width": 512, "view": "strong"},
    "dino": {"decay": 0.996, "sharp": 0.04, "soft": 0.1, "prototypes": 1024, "view": "strong"},  # Caron et al. 2021
    "rotation": {},
    "mae": {"width": 256},
}
TRADE_OFFS = {
    "dan": (1.0, "constant"),
    "deep_coral": (1.0, "constant"),
    "dann": (0.3, "dann"),  # Ganin et al. 2016: 2 in this scaling
    "cdan": (1.0, "dann"),  # Long et al. 2018
    "mcd": (1.0, "constant"),
    "mcc": (1.0, "constant"),  # Jin et al. 2020
    "fixmatch": (1.0, "constant"),  # Sohn et al. 2020
    "mean_teacher": (3.0, "constant"),  # French et al. 2018
    "shot": (0.3, "constant"),  # Liang et al. 2020: beta = .3
    "entropy_minimisation": (0.1, "constant"),
    "pseudo_label": (1.0, "linear"),  # Lee 2013: a straight rise
    "bnm": (1.0, "constant"),  # Cui et al. 2020
    "afn": (0.05, "constant"),  # Xu et al. 2019
    "mdd": (0.1, "dann"),  # Zhang et al. 2019: at most .1
    "jan": (1.0, "constant"),
    "dsan": (0.5, "dann"),  # Zhu et al. 2021
    "bsp": (0.3, "dann"),  # as dann; the penalty is constant
    "wdgrl": (0.1, "constant"),  # Shen et al. 2018: 1
    "adamatch": (1.0, "half_cosine"),  # Berthelot et al. 2022
    "dare_gram": (1.0, "constant"),
    "rsd": (1e-3, "constant"),  # Chen et al. 2021
    "m3sda": (0.5, "constant"),
    "ddc": (0.25, "constant"),  # Tzeng et al. 2014
    "cmd": (1.0, "constant"),  # Zellinger et al. 2017
    "homm": (1.0, "constant"),
    "deep_jdot": (1.0, "constant"),
    "jumbot": (1.0, "constant"),
    "adda": (0.3, "dann"),
    "iwan": (0.3, "dann"),
    "pada": (0.3, "dann"),
    "cbst": (1.0, "constant"),
    "atdoc": (0.2, "linear"),
    "flexmatch": (1.0, "constant"),
    "freematch": (1.0, "constant"),
    "sdat": (0.3, "dann"),
    "swd": (1.0, "constant"),
    "daan": (0.3, "dann"),
    "mdan": (0.3, "dann"),
    "mme": (0.1, "constant"),  # Saito et al. 2019
    "osbp": (1.0, "constant"),
    "ros": (1.0, "constant"),
    "ovanet": (0.1, "constant"),  # Saito & Saenko 2021
    "uan": (0.3, "dann"),
    "dance": (0.05, "constant"),  # Saito et al. 2020
    "etn": (0.3, "dann"),
    "ba3us": (0.3, "dann"),
    "gvb": (1.0, "dann"),  # Cui et al. 2020
    "symnets": (1.0, "dann"),  # Zhang et al. 2019
    "star": (1.0, "constant"),
    "rtn": (0.3, "constant"),  # Long et al. 2016
    "dd": (0.1, "dann"),  # as mdd
    "mfsan": (1.0, "dann"),  # Zhu et al. 2019
    "vada": (0.01, "constant"),  # Shu et al. 2018
    "dirt_t": (0.01, "constant"),  # Shu et al. 2018
    "can": (0.3, "constant"),  # Kang et al. 2019
    "cst": (0.5, "constant"),
    "spa": (0.2, "linear"),  # Xiao et al. 2023: .2 on Office-Home
    "cdac": (1.0, "constant"),
    "noisy_student": (1.0, "constant"),
    "mldg": (1.0, "constant"),  # Li et al. 2018: beta = 1
    "vrex": (10.0, "constant"),  # DomainBed
    "irm": (100.0, "constant"),  # DomainBed
    "spectral_decoupling": (0.1, "constant"),  # DomainBed
    "fishr": (1000.0, "constant"),  # DomainBed
    "source_coral": (1.0, "constant"),
    "source_mmd": (1.0, "constant"),
    "source_dann": (1.0, "dann"),
    "source_cdann": (1.0, "dann"),
    "selfreg": (1.0, "constant"),
    "sagnet": (0.1, "constant"),  # Nam et al. 2021
    "fish": (0.01, "constant"),
    "joint": (1.0, "constant"),
    "bss": (1e-3, "constant"),  # Chen et al. 2019 (NeurIPS): eta = 1e-3
    "delta": (0.01, "constant"),  # Li et al. 2019: alpha = .01
    "l2_sp": (0.01, "constant"),  # Li et al. 2018: alpha = .01
    "lwf": (1.0, "constant"),  # Li & Hoiem 2016
    "co_tuning": (2.3, "constant"),  # You et al. 2020
    "bi_tuning": (1.0, "constant"),
}


@pytest.mark.parametrize("name", METHODS)
def test_the_arguments_of_a_method(name):
    parameters = inspect.signature(METHODS[name]).parameters.values()
    assert {parameter.name: parameter.default for parameter in parameters} == ARGUMENTS[name]


def test_the_trade_offs_and_their_schedules():
    made: dict[str, Method] = {name: make() for name, make in METHODS.items()}
    found = {name: (method.lam, method.lam_schedule) for name, method in made.items() if method.lam is not None}
    assert found == TRADE_OFFS


def test_what_can_be_swept_begins_where_the_argument_stands():
    for make in (*METHODS.values(), *BASELINES.values()):
        arguments = {p.name: p.default for p in inspect.signature(make).parameters.values()}
        for name, value in make().values.items():
            assert value == arguments.get(name, value), (make.__name__, name)


def test_gradnorm_trains_its_weights_at_the_published_rate():
    defaults = {name: p.default for name, p in inspect.signature(gradnorm).parameters.items()}
    assert defaults["lr"] == 0.025  # Chen et al. 2018
