namespace Vks.Runtime.Machines;

/// <summary>What must be undone when the steps of a start do not all succeed. Undone last first.</summary>
/// <remarks>A step pushes its undoing as soon as it has made something. On success the owner calls <see cref="Clear"/>.</remarks>
internal sealed class UndoStack(Action<string, Exception> onFault) : IAsyncDisposable
{
    private readonly Stack<(string What, Func<ValueTask> Undo)> _undos = new();

    /// <summary>Remembers how to undo what was just made.</summary>
    /// <param name="what">Names it, for the log line of a failed undo.</param>
    /// <param name="undo">Undoes it.</param>
    internal void Push(string what, Func<ValueTask> undo) => _undos.Push((what, undo));

    /// <summary>Remembers how to undo what was just made.</summary>
    /// <param name="what">Names it, for the log line of a failed undo.</param>
    /// <param name="undo">Undoes it.</param>
    internal void Push(string what, Action undo) => _undos.Push((what, () =>
    {
        undo();
        return ValueTask.CompletedTask;
    }));

    /// <summary>The steps succeeded: nothing is to be undone any more.</summary>
    internal void Clear() => _undos.Clear();

    /// <summary>Undoes everything. A fault of one undo is reported and does not keep the others from running.</summary>
    public async ValueTask DisposeAsync()
    {
        while (_undos.TryPop(out (string What, Func<ValueTask> Undo) entry))
        {
            try
            {
                await entry.Undo();
            }
            catch (Exception exception)
            {
                onFault(entry.What, exception);
            }
        }
    }
}
