"""A retriever for a dataset that has grown since it was trained."""

from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRetriever
from tfadrec.training.grow_vocabulary import grown_model
from tfadrec.training.retriever_run import RetrieverRun
from tfadrec.training.text import with_text


@takes(grown="dataset")
def grow_retriever(run: RetrieverRun, grown: Dataset) -> AdRetriever:
    """A run's retriever with rows for more ads and users.

    As with `grow_vocabulary`, all that it has learned stays as it is. A new ad
    is found by its copy and its columns, with the unknown id; and a new user by
    the history.

    Args:
      run: of `load_retriever` or `train_retriever`; it is left as it is.
      grown: has at least the ads and users of the run's dataset, and its
        schema, as the dataset of an update has. The copy of its ads is read as
        the run's settings say.

    Raises:
      InputError: where the schema is another, or an ad or user is gone.

    Example:
      found = training.load_retriever("runs/find")
      updated = training.load_run("runs/tuesday")
      retriever = training.grow_retriever(found, updated.dataset)
    """
    grown = with_text(grown, run.config.text)
    return grown_model(run.retriever, run.dataset, grown)
