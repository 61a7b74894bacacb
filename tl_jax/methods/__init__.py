"""The methods by name: one file each, none importing another.

In: nothing of a run. A method is a function with its arguments (`dann(hidden=256)`) that returns a `Method`
(`contract.py`).
Out: `Method`: pure functions over an explicit state, and values that say what the trainer must know of it. Its terms
see the outputs of its views, the batch and where the run stands; never the optimiser, the trial or the target's
labels.

The way in are the tables below, one for each sort of label that is given: `ADAPTATION` (the source's), `FINE_TUNING`
(the target's), `SELF_SUPERVISION` and `BASELINES` (none).

Open first: `dann.py` (28 lines: terms, parameters of its own, a weight, a schedule) and `mcc.py` (two terms, one value
that can be swept); then `contract.py` for everything that a method may say. `added.py`, `aligned.py` and
`multitask.py` make methods of methods and of strategies.

A new method is one file and one line in a table: docs/adding_a_method.md. tests/contract picks it up by its name.
"""

from collections.abc import Callable, Mapping

from tl_jax.core.errors import UserError
from tl_jax.methods.aad import aad
from tl_jax.methods.adabn import adabn
from tl_jax.methods.adamatch import adamatch
from tl_jax.methods.adda import adda
from tl_jax.methods.added import added
from tl_jax.methods.afn import afn
from tl_jax.methods.and_mask import and_mask
from tl_jax.methods.atdoc import atdoc
from tl_jax.methods.ba3us import ba3us
from tl_jax.methods.barlow_twins import barlow_twins
from tl_jax.methods.bbse import bbse
from tl_jax.methods.bi_tuning import bi_tuning
from tl_jax.methods.bn_adapt import bn_adapt
from tl_jax.methods.bnm import bnm
from tl_jax.methods.bsp import bsp
from tl_jax.methods.bss import bss
from tl_jax.methods.byol import byol
from tl_jax.methods.can import can
from tl_jax.methods.cbst import cbst
from tl_jax.methods.cdac import cdac
from tl_jax.methods.cdan import cdan
from tl_jax.methods.cmd import cmd
from tl_jax.methods.co_tuning import co_tuning
from tl_jax.methods.contract import Method
from tl_jax.methods.cotta import cotta
from tl_jax.methods.cowa import cowa
from tl_jax.methods.cst import cst
from tl_jax.methods.daan import daan
from tl_jax.methods.dan import dan
from tl_jax.methods.dance import dance
from tl_jax.methods.dann import dann
from tl_jax.methods.dare_gram import dare_gram
from tl_jax.methods.dd import dd
from tl_jax.methods.ddc import ddc
from tl_jax.methods.deep_coral import deep_coral
from tl_jax.methods.deep_jdot import deep_jdot
from tl_jax.methods.delta import delta
from tl_jax.methods.dino import dino
from tl_jax.methods.dirt_t import dirt_t
from tl_jax.methods.dsan import dsan
from tl_jax.methods.eata import eata
from tl_jax.methods.entropy_minimisation import entropy_minimisation
from tl_jax.methods.eqrm import eqrm
from tl_jax.methods.erm import erm
from tl_jax.methods.etn import etn
from tl_jax.methods.fine_tune import fine_tune
from tl_jax.methods.fish import fish
from tl_jax.methods.fishr import fishr
from tl_jax.methods.fixmatch import fixmatch
from tl_jax.methods.flexmatch import flexmatch
from tl_jax.methods.freematch import freematch
from tl_jax.methods.group_dro import group_dro
from tl_jax.methods.gvb import gvb
from tl_jax.methods.homm import homm
from tl_jax.methods.irm import irm
from tl_jax.methods.iwan import iwan
from tl_jax.methods.jan import jan
from tl_jax.methods.joint import joint
from tl_jax.methods.jumbot import jumbot
from tl_jax.methods.kliep import kliep
from tl_jax.methods.l2_sp import l2_sp
from tl_jax.methods.lame import lame
from tl_jax.methods.lwf import lwf
from tl_jax.methods.m3sda import m3sda
from tl_jax.methods.mae import mae
from tl_jax.methods.mcc import mcc
from tl_jax.methods.mcd import mcd
from tl_jax.methods.mdan import mdan
from tl_jax.methods.mdd import mdd
from tl_jax.methods.mean_teacher import mean_teacher
from tl_jax.methods.memo import memo
from tl_jax.methods.mfsan import mfsan
from tl_jax.methods.mixstyle import mixstyle
from tl_jax.methods.mixup import mixup
from tl_jax.methods.mldg import mldg
from tl_jax.methods.mlls import mlls
from tl_jax.methods.mme import mme
from tl_jax.methods.moco import moco
from tl_jax.methods.no_adaptation import no_adaptation
from tl_jax.methods.noisy_student import noisy_student
from tl_jax.methods.note import note
from tl_jax.methods.nrc import nrc
from tl_jax.methods.osbp import osbp
from tl_jax.methods.ovanet import ovanet
from tl_jax.methods.pada import pada
from tl_jax.methods.pixels import pixels
from tl_jax.methods.pseudo_label import pseudo_label
from tl_jax.methods.ros import ros
from tl_jax.methods.rotation import rotation
from tl_jax.methods.rotta import rotta
from tl_jax.methods.rsc import rsc
from tl_jax.methods.rsd import rsd
from tl_jax.methods.rtn import rtn
from tl_jax.methods.sagnet import sagnet
from tl_jax.methods.sar import sar
from tl_jax.methods.sdat import sdat
from tl_jax.methods.selfreg import selfreg
from tl_jax.methods.shot import shot
from tl_jax.methods.simclr import simclr
from tl_jax.methods.simsiam import simsiam
from tl_jax.methods.sma import sma
from tl_jax.methods.source_cdann import source_cdann
from tl_jax.methods.source_coral import source_coral
from tl_jax.methods.source_dann import source_dann
from tl_jax.methods.source_mmd import source_mmd
from tl_jax.methods.source_only import source_only
from tl_jax.methods.spa import spa
from tl_jax.methods.spectral_decoupling import spectral_decoupling
from tl_jax.methods.star import star
from tl_jax.methods.stoch_norm import stoch_norm
from tl_jax.methods.swad import swad
from tl_jax.methods.swd import swd
from tl_jax.methods.symnets import symnets
from tl_jax.methods.t3a import t3a
from tl_jax.methods.target_only import target_only
from tl_jax.methods.tent import tent
from tl_jax.methods.uan import uan
from tl_jax.methods.ulsif import ulsif
from tl_jax.methods.untrained import untrained
from tl_jax.methods.vada import vada
from tl_jax.methods.vicreg import vicreg
from tl_jax.methods.vrex import vrex
from tl_jax.methods.wdgrl import wdgrl
from tl_jax.methods.wise_ft import wise_ft
from tl_jax.naming.calls import Call, parse
from tl_jax.naming.sums import WEIGHT, summands, weighed

ADAPTATION: Mapping[str, Callable[..., Method]] = {
    "source_only": source_only,
    "target_only": target_only,
    "adabn": adabn,
    "dan": dan,
    "deep_coral": deep_coral,
    "dann": dann,
    "cdan": cdan,
    "mcd": mcd,
    "mcc": mcc,
    "fixmatch": fixmatch,
    "mean_teacher": mean_teacher,
    "shot": shot,
    "entropy_minimisation": entropy_minimisation,
    "pseudo_label": pseudo_label,
    "bnm": bnm,
    "afn": afn,
    "mdd": mdd,
    "jan": jan,
    "dsan": dsan,
    "bsp": bsp,
    "wdgrl": wdgrl,
    "adamatch": adamatch,
    "dare_gram": dare_gram,
    "rsd": rsd,
    "m3sda": m3sda,
    "ddc": ddc,
    "cmd": cmd,
    "homm": homm,
    "deep_jdot": deep_jdot,
    "jumbot": jumbot,
    "adda": adda,
    "iwan": iwan,
    "pada": pada,
    "cbst": cbst,
    "atdoc": atdoc,
    "flexmatch": flexmatch,
    "freematch": freematch,
    "mme": mme,
    "sdat": sdat,
    "swd": swd,
    "daan": daan,
    "mdan": mdan,
    "aad": aad,
    "nrc": nrc,
    "osbp": osbp,
    "ovanet": ovanet,
    "uan": uan,
    "dance": dance,
    "bbse": bbse,
    "mlls": mlls,
    "etn": etn,
    "ba3us": ba3us,
    "gvb": gvb,
    "symnets": symnets,
    "star": star,
    "rtn": rtn,
    "dd": dd,
    "kliep": kliep,
    "ulsif": ulsif,
    "mfsan": mfsan,
    "vada": vada,
    "dirt_t": dirt_t,
    "can": can,
    "cst": cst,
    "spa": spa,
    "cdac": cdac,
    "noisy_student": noisy_student,
    "cowa": cowa,
    "ros": ros,
}
FINE_TUNING: Mapping[str, Callable[..., Method]] = {
    "fine_tune": fine_tune,
    "joint": joint,
    "bss": bss,
    "delta": delta,
    "l2_sp": l2_sp,
    "lwf": lwf,
    "stoch_norm": stoch_norm,
    "co_tuning": co_tuning,
    "bi_tuning": bi_tuning,
    "wise_ft": wise_ft,
}
SELF_SUPERVISION: Mapping[str, Callable[..., Method]] = {
    "simclr": simclr,
    "simsiam": simsiam,
    "byol": byol,
    "moco": moco,
    "barlow_twins": barlow_twins,
    "vicreg": vicreg,
    "dino": dino,
    "rotation": rotation,
    "mae": mae,
}
GENERALISATION: Mapping[str, Callable[..., Method]] = {
    "erm": erm,
    "mldg": mldg,
    "vrex": vrex,
    "irm": irm,
    "group_dro": group_dro,
    "spectral_decoupling": spectral_decoupling,
    "eqrm": eqrm,
    "fishr": fishr,
    "source_coral": source_coral,
    "source_mmd": source_mmd,
    "source_dann": source_dann,
    "source_cdann": source_cdann,
    "mixstyle": mixstyle,
    "rsc": rsc,
    "selfreg": selfreg,
    "sagnet": sagnet,
    "fish": fish,
    "sma": sma,
    "and_mask": and_mask,
    "mixup": mixup,
    "swad": swad,
}
"""Several labelled domains, and nothing of the one that is tested on."""
TEST_TIME: Mapping[str, Callable[..., Method]] = {
    "no_adaptation": no_adaptation,
    "bn_adapt": bn_adapt,
    "tent": tent,
    "eata": eata,
    "sar": sar,
    "cotta": cotta,
    "lame": lame,
    "t3a": t3a,
    "rotta": rotta,
    "note": note,
    "memo": memo,
}
"""A trained model, and a stream that is predicted before it is learnt from."""
BASELINES: Mapping[str, Callable[..., Method]] = {"untrained": untrained, "pixels": pixels}
"""Representations that nothing is learnt for."""
METHODS: Mapping[str, Callable[..., Method]] = {
    **ADAPTATION,
    **FINE_TUNING,
    **SELF_SUPERVISION,
    **GENERALISATION,
    **TEST_TIME,
}


def made(call: Call, table: Mapping[str, Callable[..., Method]]) -> Method:
    """The method of a call. Raises UserError for one of the user's that is given labels as none of the table is."""
    method = call()
    if call.name not in table and method.labels not in (able := sorted({make().labels for make in table.values()})):
        raise UserError(
            f"{call.text} is trained on labels of '{method.labels}' (Method.labels). Here it can be: {', '.join(able)}."
        )
    return method


def named_method(text: str, table: Mapping[str, Callable[..., Method]]) -> tuple[str, Method]:
    """'mcc', or the sum 'cdan + mcc(lam=0.1)' -> its canonical text, and the method.

    Raises UserError as `parse`, `made` and `added` do, and for a method that is added to itself.
    """
    if len(texts := summands(text)) == 1:
        call = parse(text, table, "method", (Method,))
        return call.text, made(call, table)
    shown, methods, lams = [], {}, {}
    for one, lam in map(weighed, texts):
        call = parse(one, table, "method", (Method,))
        name, method = call.name.rpartition(":")[2], made(call, table)
        if name in methods:
            raise UserError(f"'{text}' names {name} twice. Weigh it instead: {name}(lam=2).")
        methods[name] = method
        if lam is not None and lam != method.lam:
            lams[name], call = lam, call._replace(arguments={**call.arguments, WEIGHT: lam})
        shown.append(call.text)
    return " + ".join(shown), added(methods, lams)
