"""Licences: what a model is made with brings its own, the network's weights too."""

import pytest

from utils import plugins
from utils.plugins import licences

IMAGENET = "CC BY 4.0, the weights that were trained on ImageNet, www.robots.ox.ac.uk/~vgg/research/very_deep"
LOGMEL = {"name": "logmel"}


def card(model: str, features: dict = LOGMEL, **more) -> dict:
    return {"corpora": ["demo"], "model": {"name": model}, "features": features} | more


@pytest.mark.parametrize(("kind", "name"), [("models", "vgg16"), ("features", "vgg16")])
def test_the_imagenet_weights_have_their_licence(kind, name):
    assert plugins.get(kind, name).licence == IMAGENET
    assert licences.stated([(kind, name)]) == [("VGG16", IMAGENET)]


def test_the_network_of_a_model_brings_its_licence():
    assert licences.of_card(card("vgg16")) == [("demo", "none needed"), ("VGG16", IMAGENET)]
    assert licences.of_card(card("svm", {"name": "vgg16"})) == [("demo", "none needed"), ("VGG16", IMAGENET)]
    assert licences.of_card(card("svm")) == [("demo", "none needed")]


def test_the_networks_of_an_ensemble_s_members_bring_theirs():
    members = [card("vgg16"), card("svm", {"name": "opensmile", "set": "IS10"})]
    joined = {"corpora": ["demo"], "model": {"name": "ensemble"}, "members": members}
    titles = dict(licences.of_card(joined))
    assert set(titles) == {"demo", "VGG16", "openSMILE's feature sets"}
    for member in members:
        del member["model"]  # as ensembles were written before
    assert "VGG16" not in dict(
        licences.of_card({"corpora": ["demo"], "model": {"name": "ensemble"}, "members": members})
    )


def test_what_this_checkout_does_not_have_states_nothing():
    assert licences.of_card(card("gone", {"name": "lost"}) | {"corpora": ["mine"]}) == [("mine", licences.USERS)]
