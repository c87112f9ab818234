namespace Vks.Spherelet.Pods;

/// <summary>What has to be undone, newest first, when a start does not come to its end.</summary>
internal sealed partial class UndoStack(string subject, ILogger logger)
{
    private readonly Stack<(string What, Func<CancellationToken, Task> Undo)> _steps = new();

    /// <summary>Notes how to undo a step; call before the step, with an undo that bears its absence.</summary>
    public void Push(string what, Func<CancellationToken, Task> undo) => _steps.Push((what, undo));

    /// <summary>As the other, for an undo that does not wait for anything.</summary>
    public void Push(string what, Action undo) => Push(what, _ =>
    {
        undo();
        return Task.CompletedTask;
    });

    /// <summary>Success: nothing is to be undone any more.</summary>
    public void Clear() => _steps.Clear();

    /// <summary>Undoes all steps; a failing one is logged and does not keep the others from being undone.</summary>
    public async Task UndoAsync()
    {
        while (_steps.TryPop(out (string What, Func<CancellationToken, Task> Undo) step))
        {
            try
            {
                // The caller may be gone by now; what was made must go all the same.
                await step.Undo(CancellationToken.None);
            }
            catch (Exception cause)
            {
                UndoFailed(subject, step.What, cause);
            }
        }
    }

    [LoggerMessage(3102, LogLevel.Error, "Pod {Subject}: could not undo '{What}'; the next start of the daemon tries again")]
    private partial void UndoFailed(string subject, string what, Exception cause);
}
