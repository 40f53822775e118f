"""Ad tower and user tower: catalogue rows in, vectors out."""

from tfadrec.towers.ad_tower import AdTower
from tfadrec.towers.tower_ensemble import TowerEnsemble
from tfadrec.towers.user_tower import UserTower

__all__ = ["AdTower", "TowerEnsemble", "UserTower"]
