namespace Vks.Spherelet.Pods;

/// <summary>Who holds which name. A name is taken before anything else is done and given back when all else is undone.</summary>
/// <typeparam name="TName">A value with equality.</typeparam>
internal sealed class NameRegistry<TName>
    where TName : notnull
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TName, string> _holders = [];

    /// <summary>Takes the name for the holder.</summary>
    /// <exception cref="PodException"><see cref="PodFault.NameReserved"/>: another holder has it; the message names it.</exception>
    public void Reserve(TName name, string holderId)
    {
        lock (_lock)
        {
            if (!_holders.TryAdd(name, holderId) && _holders[name] != holderId)
            {
                throw new PodException(
                    PodFault.NameReserved,
                    name.ToString() ?? "",
                    $"The name {name} is reserved by {_holders[name]}; remove that first, or raise the attempt.");
            }
        }
    }

    /// <summary>Gives the name back, when this holder has it.</summary>
    public void Release(TName name, string holderId)
    {
        lock (_lock)
        {
            if (_holders.TryGetValue(name, out string? holder) && holder == holderId)
            {
                _holders.Remove(name);
            }
        }
    }
}
