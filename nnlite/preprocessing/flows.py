"""Where an ImageDataGenerator takes images from: arrays, folders of classes, tables of names."""

from nnlite.preprocessing.file_iterators import DataFrameIterator, DirectoryIterator
from nnlite.preprocessing.iterator import NumpyArrayIterator


class Flows:
    """The methods of ImageDataGenerator that make iterators."""

    def flow(
        self,
        x,
        y=None,
        batch_size=32,
        shuffle=True,
        sample_weight=None,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        ignore_class_split=False,
        subset=None,
    ):
        """An endless iterator over batches, for `Model.fit` or a `for` loop with a `break`.

        Parameters
        ----------
        x : array, shape (N, H, W, C)
            Integers or floats; `x` is not copied, only batches are converted.
        y : array, shape (N, ...), optional
        batch_size : int, default 32
            The last batch of an epoch may be smaller.
        shuffle : bool, default True
            Whether each epoch has its own random order.
        sample_weight : array, shape (N,), optional
        seed : int, optional
            Determines the order and the transformations, for any number of threads. By default the
            next one that follows from `nnlite.utils.set_random_seed`.
        save_to_dir : str, optional
            Folder to which every image of every batch is written, as
            `<save_prefix>_<row>_<epoch>.<save_format>`; needs Pillow.
        save_prefix : str, default ''
        save_format : str, default 'png'
        ignore_class_split : bool, default False
            Whether the subsets may have different values in y.
        subset : {'training', 'validation'}, optional
            A part of the data: see `validation_split`.

        Returns
        -------
        NumpyArrayIterator
            Its batches are x, (x, y) or (x, y, sample_weight).

        Raises
        ------
        ImportError
            If `save_to_dir` is given and Pillow is not installed.
        ValueError
            For arrays that do not fit together, and for other values of the arguments.
        """
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            ignore_class_split=ignore_class_split,
        )

    def flow_from_directory(
        self,
        directory,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        follow_links=False,
        subset=None,
        interpolation="nearest",
        keep_aspect_ratio=False,
        errors="raise",
    ):
        """An endless iterator over batches of the images in a folder, whose folders are their
        classes.

        Files are read when their batch comes, by several threads. They end in `.bmp`, `.jpeg`,
        `.jpg`, `.png`, `.ppm`, `.tif` or `.tiff`.

        Parameters
        ----------
        directory : path
            A folder with a folder for each class; these may hold further ones.
        target_size : (height, width), default (256, 256)
        color_mode, interpolation, keep_aspect_ratio
            As for `load_img`.
        classes : list of str, optional
            Some of the folders, in the order of their numbers; by default all, sorted.
        class_mode : {'categorical', 'binary', 'sparse', 'input', None}, default 'categorical'
            y is one-hot rows; numbers of two classes; numbers of any classes; the images
            themselves; or there is none.
        batch_size, shuffle, seed, save_to_dir, save_prefix, save_format
            As for `flow`.
        follow_links : bool, default False
            Whether folders that are links are gone into.
        subset : {'training', 'validation'}, optional
            A part of each class: see `validation_split`.
        errors : {'raise', 'skip'}, default 'raise'
            What becomes of files that are no images or damaged. 'raise': an error when their batch
            comes. 'skip': all files are read once before, and one warning lists those that are left
            out.

        Returns
        -------
        DirectoryIterator
            Its batches are x, or (x, y).

        Raises
        ------
        ImportError
            Without Pillow.
        ValueError
            If there are no images, and for values out of range.
        DamagedFile
            An OSError, with a batch: if a file is no image.
        """
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            errors=errors,
        )

    def flow_from_dataframe(
        self,
        dataframe,
        directory=None,
        x_col="filename",
        y_col="class",
        weight_col=None,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        subset=None,
        interpolation="nearest",
        validate_filenames=True,
        keep_aspect_ratio=False,
        errors="raise",
    ):
        """An endless iterator over batches of images whose names are in a table.

        Parameters
        ----------
        dataframe : DataFrame, or dict of columns
            Of pandas or polars.
        directory : path, optional
            The folder that names begin from; by default they are whole paths.
        x_col : str, default 'filename'
            The column of names.
        y_col : str or list of str, default 'class'
            The column of targets, or several.
        weight_col : str, optional
            The column of the weights of samples.
        target_size : (height, width), default (256, 256)
        color_mode, interpolation, keep_aspect_ratio
            As for `load_img`.
        classes : list of str, optional
            The classes in the order of their numbers; rows of others are left out. By default all
            that are in `y_col`, sorted.
        class_mode : str or None, default 'categorical'
            What y is:

            - 'categorical': a row with 1 for the class, or for each class of a list of them;
            - 'binary', 'sparse': numbers of two classes, or of any;
            - 'raw': the values of `y_col`, one or several columns;
            - 'multi_output': a list of the values of each column of `y_col`;
            - 'input': the images themselves;
            - None: there is none.
        batch_size, shuffle, seed, save_to_dir, save_prefix, save_format
            As for `flow`.
        subset : {'training', 'validation'}, optional
            A part of the rows: see `validation_split`.
        validate_filenames : bool, default True
            Whether rows whose file is not there, or has another ending than those that
            `flow_from_directory` takes, are left out with a warning.
        errors : {'raise', 'skip'}, default 'raise'
            As for `flow_from_directory`.

        Returns
        -------
        DataFrameIterator
            Its batches are x, (x, y) or (x, y, sample_weight).

        Raises
        ------
        ImportError
            Without Pillow.
        TypeError
            For columns that hold something else.
        ValueError
            If there are no images or no such columns, and for values out of range.
        DamagedFile
            An OSError, with a batch: if a file is no image.
        """
        return DataFrameIterator(
            dataframe,
            directory,
            self,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            validate_filenames=validate_filenames,
            errors=errors,
        )
