using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Vks.Runtime.Templates;

/// <summary>A booted guest that others start from: its memory and the state of its devices, both only ever read.</summary>
/// <remarks>The files stay open, so deleting them takes nothing from a clone that runs or is about to.</remarks>
internal sealed class Template : IDisposable
{
    private readonly (long Length, DateTime Changed) _memoryStamp;
    private readonly (long Length, DateTime Changed) _stateStamp;
    private readonly SafeFileHandle _state;

    /// <summary>Takes over both handles.</summary>
    internal Template(string name, TemplateRecord record, SafeFileHandle memory, SafeFileHandle state, IReadOnlyList<DiskBlock> scratch)
    {
        (Name, Record, Memory, _state, Scratch) = (name, record, memory, state, scratch);
        (_memoryStamp, _stateStamp) = (StampOf(memory), StampOf(state));
    }

    /// <summary>Its key's name.</summary>
    internal string Name { get; }

    /// <summary>What is known of it.</summary>
    internal TemplateRecord Record { get; }

    /// <summary>Its memory, open for reading.</summary>
    internal SafeFileHandle Memory { get; }

    /// <summary>What a clone's scratch disk has to hold, since its guest goes on with that disk mounted; empty without one.</summary>
    internal IReadOnlyList<DiskBlock> Scratch { get; }

    /// <summary>Nobody has written to its files since they were checked.</summary>
    internal bool IsUntouched => StampOf(Memory) == _memoryStamp && StampOf(_state) == _stateStamp;

    /// <summary>The devices' state, opened anew at its beginning; by descriptor, since another start may have had the template deleted.</summary>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    internal SafeFileHandle OpenState()
    {
        bool held = false;
        _state.DangerousAddRef(ref held);
        try
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_state.DangerousGetHandle()}");
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        finally
        {
            _state.DangerousRelease();
        }
    }

    /// <summary>Lets go of the files; clones keep theirs.</summary>
    public void Dispose()
    {
        Memory.Dispose();
        _state.Dispose();
    }

    private static (long, DateTime) StampOf(SafeFileHandle file) => (RandomAccess.GetLength(file), File.GetLastWriteTimeUtc(file));
}
